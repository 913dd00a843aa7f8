/**
 * Locks between processes, by files: for the cache that commands share, and for
 * the ports and the owner of a guest.
 *
 * @module
 */

/** A held lock; released by disposing it, or by the end of the process. */
export interface Lock extends Disposable {
  readonly path: string;
}

/**
 * Waits for a lock file. The kernel releases it when its holder dies, so no
 * stale lock can remain. `onWait` is called once if another process holds it.
 */
export async function lock(
  path: string,
  onWait?: () => void,
): Promise<Lock> {
  const file = await open(path);
  try {
    if (!await file.tryLock(true)) {
      onWait?.();
      // Polls, since a blocking call would occupy a thread that cannot be
      // interrupted.
      while (!await file.tryLock(true)) await sleep(50);
    }
  } catch (error) {
    file.close();
    throw error;
  }
  return holding(path, file);
}

/** Takes a lock file if it is free. */
export async function tryLock(path: string): Promise<Lock | undefined> {
  const file = await open(path);
  if (await file.tryLock(true)) return holding(path, file);
  file.close();
  return undefined;
}

function open(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { create: true, write: true, mode: 0o600 });
}

function holding(path: string, file: Deno.FsFile): Lock {
  return { path, [Symbol.dispose]: () => file.close() };
}

/** Waits for some milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
