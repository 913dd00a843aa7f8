/**
 * The folder of each running guest, through which other processes than the one
 * that booted it find the guest, reach it and end it.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { LabError } from "../host/errors.ts";
import { tryLock } from "../host/lock.ts";
import { checkName } from "../host/options.ts";
import {
  exists,
  guestDirectory,
  readIfThere,
  removeIfThere,
  runDirectory,
} from "../host/paths.ts";
import { ended, livePid, signal } from "../host/processes.ts";

/** The record of a guest, a file in its folder. */
export interface GuestRecord {
  readonly name: string;
  /** The target for `xftrace -t`. */
  readonly target: string;
  /** The file that is the guest's memory; none without `share`. */
  readonly memoryFile?: string;
  /** Kernel release, or path, or "none". */
  readonly kernel: string;
  /** MiB. */
  readonly mem: number;
  readonly cpus: number;
  readonly machine: string;
  readonly accel: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  /** Commands go over a serial line, as there is no virtio. */
  readonly serialOnly: boolean;
}

/** A running guest, with QEMU's pid. */
export interface RunningGuest extends GuestRecord {
  readonly pid: number;
}

/** Writes a guest's record. */
export function writeRecord(record: GuestRecord): void {
  const path = `${guestDirectory(record.name)}/guest.json`;
  Deno.writeTextFileSync(`${path}.new`, JSON.stringify(record, null, 2));
  Deno.renameSync(`${path}.new`, path);
}

/** Reads the record of a guest; `undefined` when it is missing or damaged. */
export function readRecord(name: string): GuestRecord | undefined {
  const text = readIfThere(`${guestDirectory(name)}/guest.json`);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as GuestRecord;
  } catch {
    return undefined;
  }
}

/** The running guests of this user, by name. */
export function runningGuests(): RunningGuest[] {
  return guestNames().flatMap((name) => {
    const record = readRecord(name);
    const pid = livePid(guestDirectory(name), "qemu.pid");
    return record && pid !== undefined ? [{ ...record, pid }] : [];
  });
}

/** One running guest; throws {@link LabError} if it does not run. */
export function runningGuest(name: string): RunningGuest {
  checkName(name);
  const running = runningGuests();
  const found = running.find((guest) => guest.name === name);
  if (found) return found;
  const others = running.map((guest) => guest.name).join(", ");
  throw new LabError(
    `no guest "${name}" is running; ` +
      (others ? `these are: ${others}` : `start it: deno task lab up ${name}`),
  );
}

/**
 * Makes the folder of a new guest; returns the lock that marks it as being set
 * up. Throws when the name is taken.
 */
export async function claim(name: string): Promise<Disposable> {
  await reap();
  const directory = guestDirectory(name);
  try {
    Deno.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new LabError(
      `a guest "${name}" runs already; take another name, or end it: deno ` +
        `task lab down ${name}`,
    );
  }
  const held = await tryLock(`${directory}/setup.lock`);
  if (held) return held;
  throw new LabError(`a guest "${name}" is just being started`);
}

/** Removes the files of guests that ended without cleaning up. */
export async function reap(): Promise<void> {
  for (const name of guestNames()) {
    const directory = guestDirectory(name);
    if (livePid(directory, "qemu.pid") !== undefined) continue;
    if (livePid(directory, "guard.pid") !== undefined) continue;
    // Whoever holds the lock is about to start the guest; a new folder may not
    // have been locked yet.
    if (!readRecord(name) && isNew(directory)) continue;
    const held = await tryLock(`${directory}/setup.lock`).catch(() =>
      undefined
    );
    if (!held) continue;
    remove(name);
    held[Symbol.dispose]();
  }
}

/** Ends a guest at once and removes its files. */
export async function end(name: string): Promise<void> {
  const directory = guestDirectory(name);
  const guard = livePid(directory, "guard.pid");
  const pid = livePid(directory, "qemu.pid");
  signal(pid, directory, "SIGTERM");
  if (!await ended(pid, directory, 3000)) {
    signal(pid, directory, "SIGKILL");
    await ended(pid, directory, 3000);
  }
  // The guard cleans up. Wait for it: later, the name may belong to a new
  // guest.
  if (!await ended(guard, directory, 3000)) {
    signal(guard, directory, "SIGTERM");
    await ended(guard, directory, 3000);
  }
  remove(name);
}

function remove(name: string): void {
  const memory = readRecord(name)?.memoryFile;
  if (memory !== undefined) {
    removeIfThere(memory);
    for (const path of pluggedFiles(memory)) removeIfThere(path);
  }
  removeIfThere(guestDirectory(name));
}

/** Files of memory that was plugged in, beside the guest's memory file. */
function pluggedFiles(memoryFile: string): string[] {
  const folder = dirname(memoryFile);
  const start = `${basename(memoryFile)}.`;
  return [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => name.startsWith(start))
    .map((name) => `${folder}/${name}`);
}

function isNew(directory: string): boolean {
  if (!exists(directory)) return true;
  const made = Deno.statSync(directory).mtime?.getTime() ?? 0;
  return Date.now() - made < 5000;
}

function guestNames(): string[] {
  return [...Deno.readDirSync(runDirectory())]
    .filter((entry) => entry.isDirectory).map((entry) => entry.name).sort();
}
