/**
 * What happened in the last intervals of a live view.
 *
 * @module
 */

/** Number of intervals that are remembered. */
export const INTERVALS = 120;

/**
 * Calls of something, by interval. Intervals are numbered; nothing needs to be
 * done in one without calls.
 */
export class RecentCalls {
  #interval = 0;
  #calls = 0;
  #time = 0;
  #before = { interval: -1, calls: 0, time: 0 };
  readonly #longest = new Float64Array(INTERVALS);

  /** Adds a call that took `ns`, and of that time `share` is counted. */
  add(interval: number, ns: number, share: number): void {
    if (interval !== this.#interval) this.#advance(interval);
    this.#calls++;
    this.#time += share;
    const at = interval % INTERVALS;
    if (ns > this.#longest[at]) this.#longest[at] = ns;
  }

  /** Calls of an interval that is one of the last two, and their time in ns. */
  of(interval: number): { readonly calls: number; readonly time: number } {
    if (interval === this.#interval) {
      return { calls: this.#calls, time: this.#time };
    }
    return interval === this.#before.interval
      ? this.#before
      : { calls: 0, time: 0 };
  }

  /**
   * The longest call of each of the intervals up to one, in ns, the newest last;
   * 0 where there was none.
   */
  longest(until: number): number[] {
    const from = Math.max(0, until - INTERVALS + 2);
    return Array.from(
      { length: until - from + 1 },
      (_, i) =>
        from + i > this.#interval || from + i <= this.#interval - INTERVALS
          ? 0
          : this.#longest[(from + i) % INTERVALS],
    );
  }

  #advance(interval: number): void {
    this.#before = {
      interval: this.#interval,
      calls: this.#calls,
      time: this.#time,
    };
    this.#calls = this.#time = 0;
    const passed = Math.min(interval - this.#interval, INTERVALS);
    for (let i = 0; i < passed; i++) {
      this.#longest[(interval - i) % INTERVALS] = 0;
    }
    this.#interval = interval;
  }
}
