/**
 * Folders in which the program keeps what it will believe later: its own, and
 * reached through nobody else's.
 *
 * @module
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { XftraceError } from "../errors.ts";
import { codeOf, fileError } from "../file_error.ts";
import { foreign } from "./open.ts";
import { isOpenToOthers, isTrustedOwner } from "./owner.ts";
import { unwritable } from "./write_error.ts";

/** Only the owner may list and change it. */
const PRIVATE = 0o700;
/** The most links on the way to a folder, as the kernel has it (MAXSYMLINKS). */
const MOST_LINKS = 40;
/** Everybody may write, and the bit that lets only owners remove. */
const WORLD_WRITABLE = 0o002;
const STICKY = 0o1000;

/**
 * Makes a folder of our own, with mode 0700, unless it is there; one that is
 * ours already gets that mode.
 *
 * @throws {XftraceError} as {@linkcode requireOwnFolder}, or when it cannot be
 * made.
 *
 * @example
 * ```ts
 * import { makeOwnFolder } from "xftrace";
 *
 * makeOwnFolder(`${Deno.makeTempDirSync()}/state`);
 * ```
 */
export function makeOwnFolder(path: string): void {
  // First, so that nothing is made where somebody else's link leads to.
  requireOwnWay(dirname(resolve(path)));
  try {
    mkdirSync(path, { recursive: true, mode: PRIVATE });
  } catch (error) {
    throw unwritable(path, error);
  }
  requireOwnFolder(path);
  const { mode } = lstatSync(path);
  if (isOpenToOthers(mode)) chmodSync(path, PRIVATE);
}

/**
 * Refuses a folder that somebody else could exchange or fill: it must be a
 * folder, not a link, of this user or root, and so must everything on the way
 * to it be that is there.
 *
 * @throws {XftraceError} one sentence, also when it is not there, see
 * `isMissing`.
 *
 * @example
 * ```ts
 * import { requireOwnFolder } from "xftrace";
 *
 * requireOwnFolder(Deno.makeTempDirSync());
 * ```
 */
export function requireOwnFolder(path: string): void {
  const whole = resolve(path);
  requireOwnWay(dirname(whole));
  const stat = lstat(whole);
  if (!isTrustedOwner(stat.uid)) throw foreign(whole, stat.uid);
  if (stat.isDirectory()) return;
  throw new XftraceError(
    `${whole} is ${
      stat.isSymbolicLink() ? "a symbolic link" : "a file"
    }, where a folder must be: remove it`,
  );
}

function lstat(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Checks each part of a way, and those of the links in it. */
function requireOwnWay(path: string, links = 0): void {
  if (links > MOST_LINKS) {
    throw new XftraceError(`${path} leads through too many symbolic links`);
  }
  const parent = dirname(path);
  if (parent !== path) requireOwnWay(parent, links);
  let stat;
  try {
    stat = lstatSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return; // It will be made.
    throw unwritable(path, error);
  }
  if (!isTrustedOwner(stat.uid)) throw foreign(path, stat.uid);
  if (stat.isSymbolicLink()) {
    requireOwnWay(resolve(parent, readlinkSync(path)), links + 1);
  } else if ((stat.mode & (WORLD_WRITABLE | STICKY)) === WORLD_WRITABLE) {
    throw new XftraceError(
      `everybody may write to ${path}, so nothing can be kept safe below it: take that right away (chmod o-w), or use another place`,
    );
  }
}
