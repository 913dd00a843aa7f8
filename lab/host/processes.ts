/**
 * The processes of guests: finds out whether one still runs and is really the
 * guest's, and ends it.
 *
 * @module
 */

import { sleep } from "./lock.ts";
import { readIfThere } from "./paths.ts";

/**
 * Whether a process runs and belongs to a guest's folder, by its arguments: the
 * pid alone could by now be another process's.
 */
export function belongs(pid: number, directory: string): boolean {
  let args: string[] | undefined;
  try {
    args = readIfThere(`/proc/${pid}/cmdline`)?.split("\0");
  } catch {
    // It ended while it was read.
    return false;
  }
  return args?.some((arg) =>
    arg === directory || arg === `${directory}/qemu.pid`
  ) ?? false;
}

/**
 * Reads a pid from a file in the guest's folder; `undefined` if it does not
 * run.
 */
export function livePid(directory: string, file: string): number | undefined {
  const pid = Number(readIfThere(`${directory}/${file}`) ?? "");
  return pid > 0 && belongs(pid, directory) ? pid : undefined;
}

/**
 * Waits until a guest's process has ended; false if it does not end in time.
 */
export async function ended(
  pid: number | undefined,
  directory: string,
  milliseconds: number,
): Promise<boolean> {
  const until = performance.now() + milliseconds;
  while (pid !== undefined && belongs(pid, directory)) {
    if (performance.now() > until) return false;
    await sleep(20);
  }
  return true;
}

/** Sends a signal to a process of the guest, if it still runs. */
export function signal(
  pid: number | undefined,
  directory: string,
  name: Deno.Signal,
): void {
  if (pid === undefined || !belongs(pid, directory)) return;
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
