/**
 * Opens files of the host that somebody else may have named or put there: only
 * regular ones, without waiting, and, where they must be our own, not through a
 * link.
 *
 * @module
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  statSync,
} from "node:fs";
import { XftraceError } from "../errors.ts";
import { codeOf, fileError } from "../file_error.ts";
import { createHostFile } from "./create.ts";
import { isTrustedOwner, ownUid } from "./owner.ts";
import { unwritable } from "./write_error.ts";

/** What a file must be. */
export interface HostFileRules {
  /**
   * Whether it must be our own: no link is followed in the last part of its
   * path, and its owner must be this user or root. Not for files that a user
   * names, who may keep them behind links.
   */
  readonly own?: boolean;
}

/** An open file of the host. */
export interface HostFile {
  /** The descriptor; whoever opened it closes it. */
  readonly fd: number;
  /** Its size in bytes when it was opened; 0 for files of /proc. */
  readonly size: number;
  /** The user id of its owner. */
  readonly uid: number;
  /** Its type and permissions, as `stat` says. */
  readonly mode: number;
}

/**
 * Opens a regular file, for reading unless `access` says otherwise. It never
 * waits, neither for the writer of a FIFO nor for a lease.
 *
 * @param access flags of node:fs: `constants.O_RDWR`, `constants.O_APPEND`
 * @throws {XftraceError} one sentence: there is no such file, it is no regular
 * file, a link, or somebody else's. The cause has the system's code.
 *
 * @example
 * ```ts
 * import { closeSync } from "node:fs";
 * import { openHostFile } from "xftrace";
 *
 * const file = openHostFile("testdata/guest-6.1.core.zst");
 * console.log(file.size > 0); // true
 * closeSync(file.fd);
 * ```
 */
export function openHostFile(
  path: string,
  rules: HostFileRules = {},
  access: number = constants.O_RDONLY,
): HostFile {
  const { O_NONBLOCK, O_NOFOLLOW } = constants;
  let fd: number;
  try {
    // Opening alone does something to some devices, so they are not opened.
    const look = rules.own === true ? lstatSync : statSync;
    requireRegular(path, look(path, { bigint: true }));
    fd = openSync(
      path,
      access | O_NONBLOCK | (rules.own === true ? O_NOFOLLOW : 0),
    );
  } catch (error) {
    if (error instanceof XftraceError) throw error;
    if (codeOf(error) === "ELOOP") throw linked(path, error);
    throw fileError(path, error);
  }
  try {
    // What was opened, whatever the path leads to by now.
    const stat = fstatSync(fd, { bigint: true });
    requireRegular(path, stat);
    const uid = Number(stat.uid);
    if (rules.own === true && !isTrustedOwner(uid)) throw foreign(path, uid);
    // Where links to others' files may be made (fs.protected_hardlinks is 0),
    // it could be any file of this user.
    const writes = (access & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
    if (rules.own === true && writes && stat.nlink > 1n) {
      throw new XftraceError(
        `${path} has other names too (hard links), whose content would change: copy it, and use the copy`,
      );
    }
    return { fd, size: Number(stat.size), uid, mode: Number(stat.mode) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Opens a file of our own for writing, and creates it (mode 0600) when it is
 * not there.
 *
 * @param access flags of node:fs: `constants.O_RDWR | constants.O_APPEND`
 * @returns the descriptor; whoever opened it closes it
 * @throws {XftraceError} as {@linkcode openHostFile}, or when it cannot be
 * created.
 *
 * @example
 * ```ts
 * import { closeSync, constants } from "node:fs";
 * import { openOwnFile } from "xftrace";
 *
 * const path = `${Deno.makeTempDirSync()}/log`;
 * closeSync(openOwnFile(path, constants.O_WRONLY | constants.O_APPEND));
 * Deno.removeSync(path);
 * ```
 */
export function openOwnFile(path: string, access: number): number {
  try {
    return createHostFile(path, access & constants.O_APPEND);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw unwritable(path, error);
    return openHostFile(path, { own: true }, access).fd;
  }
}

/**
 * Whether an error says that the file is not there.
 *
 * @example
 * ```ts
 * import { isMissing, openHostFile } from "xftrace";
 *
 * try {
 *   openHostFile("/nowhere/file");
 * } catch (error) {
 *   console.log(isMissing(error)); // true
 * }
 * ```
 */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error) ??
    (error instanceof Error ? codeOf(error.cause) : undefined);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** The error for a file or folder that belongs to another user. */
export function foreign(path: string, uid: number): XftraceError {
  return new XftraceError(
    `${path} belongs to another user (uid ${uid}, and this is uid ${ownUid()}), who could change what is in it: remove it, or use a place of your own`,
  );
}

function linked(path: string, cause?: unknown): XftraceError {
  return new XftraceError(
    `${path} is a symbolic link, which is not followed there: put the file itself in its place`,
    { cause },
  );
}

function requireRegular(path: string, stat: BigIntStats): void {
  if (stat.isFile()) return;
  if (stat.isSymbolicLink()) throw linked(path);
  const what = stat.isDirectory()
    ? "a folder"
    : stat.isFIFO()
    ? "a FIFO"
    : stat.isSocket()
    ? "a socket"
    : "a device";
  throw new XftraceError(`${path} is ${what}, not a regular file`);
}
