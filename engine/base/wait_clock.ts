/**
 * How long to wait for a guest that a busy host hardly lets run.
 *
 * @module
 */

/** How long a guest's processors have run, and have waited to run, ms. */
export interface WaitTimes {
  /** Absent when it is not known. */
  readonly cpuMs?: (() => number) | undefined;
  readonly waitMs?: (() => number) | undefined;
}

/** How often the times are looked at, ms. */
const LOOK_MS = 200;

/**
 * A clock for waiting: it leaves out the share of the time in which a guest's
 * processors could have run, but waited for those of the host. The host knows
 * that, whatever the guest says.
 *
 * @example
 * ```ts
 * import { WaitClock } from "xftrace";
 *
 * // An idle guest: all the time counts.
 * const clock = new WaitClock({ cpuMs: () => 5, waitMs: () => 0 }, 0);
 * console.log(clock.waited(1000)); // 1000
 * ```
 */
export class WaitClock {
  readonly #times: WaitTimes;
  #waited = 0;
  #at: number;
  #ran: number;
  #queued: number;

  /** @param now ms */
  constructor(times: WaitTimes, now: number) {
    this.#times = times;
    this.#at = now;
    this.#ran = times.cpuMs?.() ?? 0;
    this.#queued = times.waitMs?.() ?? 0;
  }

  /** How long has been waited, ms. */
  waited(now: number): number {
    const passed = now - this.#at;
    if (passed < LOOK_MS) return this.#waited + passed;
    const ran = this.#times.cpuMs?.() ?? 0;
    const queued = this.#times.waitMs?.() ?? 0;
    // Threads that have ended meanwhile take their times with them.
    const more = Math.max(0, ran - this.#ran);
    const wait = Math.max(0, queued - this.#queued);
    const share = wait === 0 ? 0 : wait / (more + wait);
    this.#waited += passed * (1 - share);
    this.#at = now;
    this.#ran = ran;
    this.#queued = queued;
    return this.#waited;
  }
}
