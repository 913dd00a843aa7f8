/**
 * What checks keep on the host between runs: records of kernel text, and copies
 * of the xftrace modules that were built here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  makeOwnFolder,
  openHostFile,
  replaceHostFile,
  requireOwnFolder,
  type Session,
  stateFolder,
} from "xftrace";
import { type TextRecords, textRecords } from "xftrace/detect";

/**
 * The records of kernel text for this run of this VM; `undefined` for a
 * recording, or when there is no state folder.
 */
export function recordsOf({ key }: Session): TextRecords | undefined {
  const folder = stateFolder("text");
  return folder === undefined || key === undefined
    ? undefined
    : textRecords(folder, key);
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
    makeOwnFolder(folder);
    makeOwnFolder(join(folder, id));
    replaceHostFile(join(folder, id, "xftrace.ko"), module);
  } catch {
    // Not an error: the file can be passed to checks with --modules as well.
  }
}

/**
 * Files of modules that this host built; none of those that somebody else could
 * have put there.
 */
export function builtModules(): string[] {
  const folder = stateFolder("modules");
  if (folder === undefined) return [];
  try {
    requireOwnFolder(folder);
    return [...Deno.readDirSync(folder)]
      .map(({ name }) => join(folder, name, "xftrace.ko"))
      .filter(isOwn);
  } catch {
    // None was built here.
    return [];
  }
}

function isOwn(path: string): boolean {
  try {
    requireOwnFolder(dirname(path));
    closeSync(openHostFile(path, { own: true }).fd);
    return true;
  } catch {
    return false;
  }
}
