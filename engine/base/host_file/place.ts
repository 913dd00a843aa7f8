/**
 * Where a file that a user names is written: at the end of the user's own links,
 * and of nobody else's.
 *
 * @module
 */
import { lstatSync, realpathSync, type Stats } from "node:fs";
import { resolve } from "node:path";
import { XftraceError } from "../errors.ts";
import { codeOf } from "../file_error.ts";
import { isTrustedOwner } from "./owner.ts";

/** Descriptors of a process, under their names in /dev and /proc. */
const DESCRIPTOR =
  /^\/(?:dev\/(?:stdout|stderr|fd\/\d+)|proc\/(?:self|\d+)\/fd\/\d+)$/;

/**
 * The path of the file that is created or replaced; `undefined` for what can
 * only be written through: pipes, terminals, devices, `/dev/stdout`.
 *
 * @throws {XftraceError} for a link or FIFO of another user, and for a link
 * that leads nowhere.
 * @throws the system's error where the path cannot be looked at.
 */
export function placeOf(path: string): string | undefined {
  if (DESCRIPTOR.test(resolve(path))) return undefined;
  const there = ifThere(() => lstatSync(path));
  if (there === undefined) return path;
  if (there.isSymbolicLink()) {
    requireOwnOutput(path, there, "a symbolic link");
    const real = ifThere(() => realpathSync(path));
    if (real !== undefined) return placeOf(real);
    throw new XftraceError(
      `cannot write ${path}: it is a symbolic link that leads nowhere; remove it, or choose another place`,
    );
  }
  if (there.isFile() || there.isDirectory()) return path;
  if (there.isFIFO()) requireOwnOutput(path, there, "a FIFO");
  return undefined;
}

/**
 * The path of a file that is written and read again later, so that it must be a
 * regular one.
 *
 * @throws {XftraceError} as {@linkcode placeOf}, and for a pipe or device.
 */
export function regularPlaceOf(path: string): string {
  const place = placeOf(path);
  if (place !== undefined) return place;
  throw new XftraceError(
    `cannot write ${path}: it is a pipe or a device, and must be a file; choose another place`,
  );
}

/** Refuses a link or FIFO of another user: the data would go where they want. */
export function requireOwnOutput(
  path: string,
  stat: Stats,
  what: string,
): void {
  if (isTrustedOwner(stat.uid)) return;
  throw new XftraceError(
    `cannot write ${path}: it is ${what} of another user (uid ${stat.uid}); choose another place`,
  );
}

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
