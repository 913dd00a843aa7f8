/**
 * What checks keep on the host between runs: records of kernel text, and copies
 * of the xftrace modules that were built here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { bootOf, type Session, stateFolder } from "xftrace";
import { type TextRecords, textRecords } from "xftrace/detect";

/**
 * The records of kernel text for this boot of this guest; `undefined` for a
 * recording, or when there is no state folder.
 */
export function recordsOf(session: Session): TextRecords | undefined {
  const [folder, boot] = [stateFolder("text"), bootOf(session)];
  return folder === undefined || boot === undefined
    ? undefined
    : textRecords(folder, boot);
}

/**
 * Keeps a copy of a module that was built on this host, by which checks
 * recognize it in a guest.
 */
export function keepBuiltModule(module: Uint8Array): void {
  const folder = stateFolder("modules");
  if (folder === undefined) return;
  const id = createHash("sha256").update(module).digest("hex").slice(0, 16);
  try {
    Deno.mkdirSync(join(folder, id), { recursive: true, mode: 0o700 });
    Deno.writeFileSync(join(folder, id, "xftrace.ko"), module, { mode: 0o600 });
  } catch {
    // Not an error: the file can be passed to checks with --modules as well.
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
