/**
 * Looking at a guest again and again, until it has ended or nobody wants to
 * look any more.
 *
 * @module
 */
import { XftraceError } from "./errors.ts";

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

/** How to look at a guest. */
export interface GuestPolling {
  /** Whether the guest still runs. */
  alive(): boolean;
  /**
   * Takes what is new.
   *
   * @returns milliseconds until the next look; `stop`: there is none
   */
  poll(): number | "stop";
  /** Asked before each look: whether to end now. Default: never. */
  stopped?(): boolean;
  /** What need not be done at each look: at the first, and each `slowMs`. */
  slow?(): void;
  /**
   * Milliseconds between two questions whether the guest still runs; default
   * 0: at each look.
   */
  readonly slowMs?: number;
  /**
   * Takes an error of a look at a guest that still runs, which may pass.
   * Default: throws it.
   *
   * @returns milliseconds until the next look
   */
  failed?(error: XftraceError): number;
  /** Cuts a wait short; the look after it is made. */
  readonly signal?: AbortSignal;
}

/**
 * Looks at a guest until it has ended, or somebody says stop.
 *
 * @throws {XftraceError} of a look, unless {@linkcode GuestPolling.failed}
 * takes it.
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
      if (!polling.alive()) return "guest gone";
      if (polling.failed === undefined) throw error;
      next = polling.failed(error);
    }
    if (next === "stop") return "stopped";
    await sleep(next, signal);
  }
  return "stopped";
}
