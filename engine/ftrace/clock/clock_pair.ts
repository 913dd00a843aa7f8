/**
 * What is added to times of one of the host's clocks to get those of another.
 *
 * @module
 */
import { ClockMap } from "./clock_map.ts";

/** A clock that can be read: ns since its base. */
export interface ReadableClock {
  /** From when its times count, in ns. */
  readonly base: bigint;
  /** Its time, in ns since {@linkcode base}. */
  now(): number;
}

/** Times at which two clocks are compared; the closest look counts. */
const LOOKS = 20;

/**
 * Compares two clocks, which both can be read.
 *
 * @example
 * ```ts
 * import { ClockPair } from "xftrace/ftrace";
 *
 * const clock = { base: 0n, now: () => 1e6 * performance.now() };
 * const pair = new ClockPair(clock, clock);
 * console.log(pair.map().error < 1e6); // true
 * ```
 */
export class ClockPair {
  readonly #from: ReadableClock;
  readonly #to: ReadableClock;
  readonly #bounds: { from: number; least: number; most: number }[] = [];

  /**
   * @param from the clock of the times
   * @param to the clock of the time line
   */
  constructor(from: ReadableClock, to: ReadableClock) {
    this.#from = from;
    this.#to = to;
    this.look();
  }

  /** Reads both clocks. */
  look(): void {
    let closest = { from: 0, least: -Infinity, most: Infinity };
    for (let i = 0; i < LOOKS; i++) {
      const least = this.#to.now();
      const from = this.#from.now();
      const most = this.#to.now();
      if (most - least < closest.most - closest.least) {
        closest = { from, least, most };
      }
    }
    this.#bounds.push(closest);
  }

  /** From ns since the base of the one clock to ns since that of the other. */
  map(): ClockMap {
    const parts = this.#bounds.slice(0, -1).map((one, i) => {
      const next = this.#bounds[i + 1];
      const middle = (bound: typeof one) =>
        (bound.least + bound.most) / 2 - bound.from;
      return {
        from: one.from,
        until: next.from,
        start: middle(one),
        end: middle(next),
        error: Math.max(one.most - one.least, next.most - next.least) / 2,
        torn: false,
      };
    });
    const [only] = this.#bounds;
    const [first, ...others] = parts.length > 0 ? parts : [{
      from: only.from,
      until: only.from,
      start: (only.least + only.most) / 2 - only.from,
      end: (only.least + only.most) / 2 - only.from,
      error: (only.most - only.least) / 2,
      torn: false,
    }];
    return new ClockMap([first, ...others]);
  }
}
