/**
 * Folders of the lab's cache and of its running guests, and helpers for files
 * that may not exist.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { LabError } from "./errors.ts";

/**
 * The folder of the lab's cache (kernels, tools, initial file systems);
 * created.
 */
export function cacheDirectory(): string {
  const home = Deno.env.get("HOME") || ownFolder(`/tmp/xftrace-${uid()}`);
  const base = Deno.env.get("XDG_CACHE_HOME") || `${home}/.cache`;
  // Kernels and programs of it are run: nobody else may put them there, whatever
  // the umask is with which they are written.
  return ownFolder(`${base}/xftrace/lab`);
}

/**
 * The folder that holds those of this user's running guests; created with mode
 * 0700. Refused if it is a link, or belongs to another user, who may have made
 * it first in /tmp.
 */
export function runDirectory(): string {
  const base = Deno.env.get("XDG_RUNTIME_DIR") || "/tmp";
  return ownFolder(`${base}/xftrace-lab-${uid()}`);
}

/**
 * Makes a folder with mode 0700, unless it is there. Nobody else may be able to
 * exchange it, or a folder on the way to it.
 */
function ownFolder(path: string): string {
  requireOwnWay(dirname(resolve(path)));
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  const info = requireOwn(path);
  if (((info.mode ?? 0) & 0o077) !== 0) Deno.chmodSync(path, 0o700);
  return path;
}

/** The most links on the way to a folder, as the kernel has it (MAXSYMLINKS). */
const MOST_LINKS = 40;

/**
 * Refuses a way on which somebody else could exchange a folder: each part that
 * is there must be this user's or root's, and so must what its links lead to.
 */
function requireOwnWay(path: string, links = 0): void {
  const parent = dirname(path);
  if (parent !== path) requireOwnWay(parent, links);
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // It will be made.
    throw error;
  }
  const trusted = info.uid === 0 || info.uid === uid();
  const open = ((info.mode ?? 0) & 0o1002) === 0o002 && !info.isSymlink;
  if (!trusted || open || links > MOST_LINKS) throw notOwn(path);
  if (info.isSymlink) {
    requireOwnWay(resolve(parent, Deno.readLinkSync(path)), links + 1);
  }
}

function notOwn(path: string): LabError {
  return new LabError(
    `${path} is no folder of your own; set XDG_RUNTIME_DIR and ` +
      "XDG_CACHE_HOME to folders that are",
  );
}

/** Refuses what is no folder of this user: a link, or another user's. */
function requireOwn(path: string): Deno.FileInfo {
  const info = Deno.lstatSync(path);
  if (!info.isDirectory || info.uid !== uid()) throw notOwn(path);
  return info;
}

/** The folder of one guest; it need not exist. */
export function guestDirectory(name: string): string {
  return `${runDirectory()}/${name}`;
}

/** The user's numeric id. */
export function uid(): number {
  return Deno.uid() ?? 0;
}

/** Whether a path exists. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes a file or folder that may be gone already. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The text of a file; `undefined` when it does not exist. */
export function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
