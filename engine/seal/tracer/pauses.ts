/**
 * Tells for how long the host did not let a guest run.
 *
 * @module
 */
import type { WaitTimes } from "../../base/wait_clock.ts";

/** Over how long the guest's processors are watched at least, ms. */
const WINDOW = 2000;
/**
 * What the processors of a guest that is paused run in this time at most, ms:
 * they are woken when the monitor asks for their registers. An idle guest is
 * woken by its own timers, and runs for longer.
 */
const MOST_RUN = 0.05;

/**
 * The share of the time in which a guest's processors want to run that they have
 * to wait, from which on it is left out: a host that is busy is no reason.
 */
const STARVED = 0.8;

/** How far the host lets a guest get. */
export interface ProcessorTimes extends WaitTimes {
  /** Whether the hypervisor says that the host has stopped the guest. */
  readonly paused?: (() => boolean) | undefined;
}

/**
 * Adds up the time in which the host did not let the guest run, because it was
 * paused, or its processors waited for those of a busy host: the guest could not
 * answer then. The host knows that, whatever the guest says. Its processors only
 * wait while others run, so that this leaves no time out for ever.
 */
export class Pauses {
  readonly #times: ProcessorTimes;
  /** When the present window began, and what the times were then. */
  #from: number;
  #ran: number;
  #waited: number;

  /** @param now ms */
  constructor(times: ProcessorTimes, now: number) {
    this.#times = times;
    this.#from = now;
    this.#ran = times.cpuMs?.() ?? 0;
    this.#waited = times.waitMs?.() ?? 0;
  }

  /**
   * How much of the time since the last call the guest stood still, ms, as far
   * as that is known by now; if its processors had to wait most of the time in
   * which they wanted to run, that share. It is to be called several times a
   * second.
   */
  passed(now: number): number {
    const passed = now - this.#from;
    if (this.#times.cpuMs === undefined || passed < WINDOW) return 0;
    const ran = this.#times.cpuMs();
    // Asking its monitor makes threads of its process run that are none of its
    // processors.
    const paused = this.#times.paused?.() === true;
    const waited = this.#times.waitMs?.() ?? 0;
    const more = ran - this.#ran;
    const wait = Math.max(0, waited - this.#waited);
    this.#from = now;
    this.#ran = ran;
    this.#waited = waited;
    // A process that is gone has never run, as it seems: nobody paused it.
    if (paused) return passed;
    if (more < 0 || ran === 0) return 0;
    if (more <= MOST_RUN) return passed;
    const share = wait / (more + wait);
    return share < STARVED ? 0 : passed * share;
  }
}
