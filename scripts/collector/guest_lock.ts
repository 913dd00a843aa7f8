/**
 * One command at a time changes a guest: `on`, `on --resume` and `off` hold a
 * lock of it. The kernel releases the lock of a process that was killed.
 *
 * @module
 */
import { join } from "node:path";
import { makeOwnFolder, stateFolder, unwritable, XftraceError } from "xftrace";
import { StateFolder } from "./state.ts";

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
