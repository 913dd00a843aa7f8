/**
 * Polls a guest until it ends or the caller stops polling.
 *
 * @module
 */
import { XftraceError } from "./errors.ts";
import { HostWriteError } from "./host_file/write_error.ts";

/**
 * Waits some milliseconds, or until `signal` is aborted.
 *
 * @example
 * ```ts
 * import { sleep } from "xftrace/ftrace";
 *
 * await sleep(5);
 * ```
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}

/** How a guest is polled. */
export interface GuestPolling {
  /** Whether the guest is still running. */
  alive(): boolean;
  /**
   * Processes what is new in the guest.
   *
   * @returns milliseconds until the next poll, or `stop` to end polling
   */
  poll(): number | "stop";
  /** Called before each poll: whether to end now. Default: never. */
  stopped?(): boolean;
  /**
   * Work that is not needed on each poll: done on the first one, then every
   * `slowMs`.
   */
  slow?(): void;
  /**
   * Milliseconds between checks that the guest is still running; default 0:
   * before each poll.
   */
  readonly slowMs?: number;
  /**
   * Handles an error of a poll while the guest still runs; the error may be
   * transient. A {@linkcode HostWriteError} is not, and is always thrown.
   * Default: throws it.
   *
   * @returns milliseconds until the next poll
   */
  failed?(error: XftraceError): number;
  /** Ends the current wait early; one more poll follows. */
  readonly signal?: AbortSignal;
}

/**
 * Polls a guest until it has ended or the caller stops polling.
 *
 * @throws {XftraceError} when a poll fails, unless
 * {@linkcode GuestPolling.failed} handles it.
 *
 * @example
 * ```ts ignore
 * import { Follower, openInstance, pollGuest } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const { instance, layout } = openInstance(guest.session);
 * const follower = new Follower(instance, layout);
 * let looks = 0;
 * const why = await pollGuest({
 *   alive: () => guest.running,
 *   poll: () => {
 *     follower.poll();
 *     return ++looks < 100 ? 10 : "stop";
 *   },
 * });
 * console.log(why, follower.totals());
 * ```
 */
export async function pollGuest(
  polling: GuestPolling,
): Promise<"stopped" | "guest gone"> {
  const { slowMs = 0, signal } = polling;
  let lastSlow = -Infinity;
  while (polling.stopped?.() !== true) {
    const now = performance.now();
    if (now - lastSlow >= slowMs) {
      lastSlow = now;
      if (!polling.alive()) return "guest gone";
      polling.slow?.();
    }
    let next: number | "stop";
    try {
      next = polling.poll();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      if (error instanceof HostWriteError) throw error;
      if (!polling.alive()) return "guest gone";
      if (polling.failed === undefined) throw error;
      next = polling.failed(error);
    }
    if (next === "stop") return "stopped";
    await sleep(next, signal);
  }
  // Whoever stops the polling may do so because the guest is gone.
  return polling.alive() ? "stopped" : "guest gone";
}
