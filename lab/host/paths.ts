/**
 * Folders of the lab's cache and of its running guests, and helpers for files
 * that may not exist.
 *
 * @module
 */

import { LabError } from "./errors.ts";

/**
 * The folder of the lab's cache (kernels, tools, initial file systems);
 * created.
 */
export function cacheDirectory(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ||
    `${Deno.env.get("HOME") || `/tmp/xftrace-${uid()}`}/.cache`;
  const path = `${base}/xftrace/lab`;
  Deno.mkdirSync(path, { recursive: true });
  return path;
}

/**
 * The folder that holds those of this user's running guests; created with mode
 * 0700. Refused if it belongs to another user, who may have made it first in
 * /tmp.
 */
export function runDirectory(): string {
  const base = Deno.env.get("XDG_RUNTIME_DIR") || "/tmp";
  const path = `${base}/xftrace-lab-${uid()}`;
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  const info = Deno.lstatSync(path);
  if (!info.isDirectory || info.uid !== uid()) {
    throw new LabError(
      `${path} belongs to another user; set XDG_RUNTIME_DIR to a folder of ` +
        "your own",
    );
  }
  return path;
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
