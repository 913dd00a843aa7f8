/**
 * One command at a time changes a guest: `on`, `on --resume` and `off` hold a
 * lock of it. The kernel releases the lock of a process that was killed.
 *
 * @module
 */
import { basename, join } from "node:path";
import { makeOwnFolder, stateFolder, unwritable, XftraceError } from "xftrace";
import { sleep } from "xftrace/ftrace";
import { ask } from "./protocol.ts";
import { StateFolder, unbegunFolders } from "./state.ts";

const SUFFIX = ".lock";
/** The most bytes of a lock's text that are read. */
const TEXT_BYTES = 100;

/**
 * Takes the lock of a guest, until it is disposed of.
 *
 * @param key identifies the guest, see Session.key
 * @param command who takes it, for others' messages: `xftrace on`
 * @throws {XftraceError} that names who has it, or when it cannot be written.
 *
 * @example
 * ```ts ignore
 * using _ = lockGuest("vm-1234-567", "qemu:web1", "xftrace on");
 * ```
 */
export function lockGuest(
  key: string,
  target: string,
  command: string,
): Disposable {
  const folder = stateFolder("locks");
  if (folder === undefined) {
    throw new XftraceError(
      "neither HOME nor XDG_STATE_HOME is set to an absolute path: there is no place for what is collected",
    );
  }
  makeOwnFolder(folder);
  const path = join(folder, key + SUFFIX);
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
  } catch (error) {
    throw unwritable(path, error, "set XDG_STATE_HOME to another folder");
  }
  if (!file.tryLockSync(true)) {
    const holder = holderOf(file);
    file.close();
    throw new XftraceError(
      `${holder} is at work on ${target}; run the command again when that has ended`,
    );
  }
  note(file, `${command}, process ${Deno.pid}`);
  removeOld(folder, path);
  return { [Symbol.dispose]: () => file.close() };
}

/** Says who has the lock; without room for that, others are told less. */
function note(file: Deno.FsFile, text: string): void {
  try {
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(text));
  } catch {
    // The lock holds all the same.
  }
}

/**
 * Marks a collector as running, from before it reads its state until it ends:
 * whoever finds the mark must not take the collector for killed.
 *
 * @throws the system's error, when the state has been removed.
 */
export function markRunning(folder: StateFolder): void {
  const file = Deno.openSync(folder.running, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  // Held until the process ends; another collector cannot be there, since
  // whoever starts one has the guest's lock.
  file.lockSync(true);
}

/** Whether a collector runs, even if it does not answer yet. */
function isRunning(folder: StateFolder): boolean {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(folder.running, { read: true });
  } catch {
    return false;
  }
  const free = file.tryLockSync(false);
  file.close();
  return !free;
}

/** How long a collector may take until it answers, ms. */
const ANSWER_MS = 60_000;
const LOOK_MS = 20;

/**
 * Waits until a collector that has just been started answers; whoever started
 * it may have been killed. Returns at once when none runs.
 *
 * @throws {XftraceError} when it runs and does not answer.
 */
export async function collectorAnswers(folder: StateFolder): Promise<void> {
  const end = performance.now() + ANSWER_MS;
  while (isRunning(folder)) {
    if (await ask(folder.socket, { do: "status" }) !== undefined) return;
    if (performance.now() > end) {
      throw new XftraceError(
        `the collector of ${folder.path} runs, but does not answer; look at ${folder.log}, or end its process`,
      );
    }
    await sleep(LOOK_MS);
  }
}

/** Removes what an `on` left that was killed before its trace began. */
export function removeUnbegun(command: string): void {
  for (const folder of unbegunFolders()) {
    try {
      const key = basename(folder.path);
      using _ = lockGuest(key, key, command);
      if (!folder.exists()) folder.remove();
    } catch {
      // Another command is at work on that guest.
    }
  }
}

/** Removes the locks of guests that have ended. */
function removeOld(folder: string, own: string): void {
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (path === own || !name.endsWith(SUFFIX)) continue;
      const key = name.slice(0, -SUFFIX.length);
      if (!new StateFolder(key).guestRuns()) Deno.removeSync(path);
    }
  } catch {
    // They are empty files: another command removes them.
  }
}

function holderOf(file: Deno.FsFile): string {
  const bytes = new Uint8Array(TEXT_BYTES);
  const got = file.readSync(bytes) ?? 0;
  const text = new TextDecoder().decode(bytes.subarray(0, got));
  return text === "" ? "another command of xftrace" : text;
}
