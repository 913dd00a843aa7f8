/**
 * Tells for how long the host did not let a guest run.
 *
 * @module
 */

/** Over how long the guest's processors are watched at least, ms. */
const WINDOW = 2000;
/**
 * What the processors of a guest that is paused run in this time at most, ms:
 * they are woken when the monitor asks for their registers. An idle guest is
 * woken by its own timers, and runs for longer.
 */
const MOST_RUN = 0.05;

/**
 * Adds up the time in which the host did not let the guest run, because it was
 * paused or got no processor: the guest could not answer then. The host knows
 * that, whatever the guest says.
 */
export class Pauses {
  readonly #cpuMs: (() => number) | undefined;
  /** When the present window began, and how long the guest had run then. */
  #from: number;
  #ran: number;

  /**
   * @param cpuMs how long the guest's processors have run so far, ms; absent
   * when that is not known
   * @param now ms
   */
  constructor(cpuMs: (() => number) | undefined, now: number) {
    this.#cpuMs = cpuMs;
    this.#from = now;
    this.#ran = cpuMs?.() ?? 0;
  }

  /**
   * How much of the time since the last call the guest stood still, ms, as far
   * as that is known by now. It is to be called several times a second.
   */
  passed(now: number): number {
    const passed = now - this.#from;
    if (this.#cpuMs === undefined || passed < WINDOW) return 0;
    const ran = this.#cpuMs();
    const more = ran - this.#ran;
    this.#from = now;
    this.#ran = ran;
    // A process that is gone has run for less than before: nobody paused it.
    return more >= 0 && more <= MOST_RUN ? passed : 0;
  }
}
