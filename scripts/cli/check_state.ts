/**
 * What checks keep on the host between runs, and what the host knows of the
 * project's own module.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { bootOf, type Session, stateFolder } from "xftrace";
import { type TextRecords, textRecords } from "xftrace/detect";

/**
 * Where the text of this boot of this guest is recorded; `undefined` for a
 * recording, or when there is no place for it.
 */
export function recordsOf(session: Session): TextRecords | undefined {
  const [folder, boot] = [stateFolder("text"), bootOf(session)];
  return folder === undefined || boot === undefined
    ? undefined
    : textRecords(folder, boot);
}

/** Keeps a module that this host built: checks know it again. */
export function keepBuiltModule(module: Uint8Array): void {
  const folder = stateFolder("modules");
  if (folder === undefined) return;
  const id = createHash("sha256").update(module).digest("hex").slice(0, 16);
  try {
    Deno.mkdirSync(join(folder, id), { recursive: true, mode: 0o700 });
    Deno.writeFileSync(join(folder, id, "xftrace.ko"), module, { mode: 0o600 });
  } catch {
    // Not worth a failure: checks take its file with --modules as well.
  }
}

/** Files of modules that this host built. */
export function builtModules(): string[] {
  const folder = stateFolder("modules");
  if (folder === undefined) return [];
  try {
    return [...Deno.readDirSync(folder)]
      .map(({ name }) => join(folder, name, "xftrace.ko"))
      .filter(isThere);
  } catch {
    // None was built here.
    return [];
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
