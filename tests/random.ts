/**
 * Random numbers that a seed repeats, for the fuzzers.
 *
 * @module
 */

/** Random numbers that a seed repeats (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `below - 1`. */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  }

  /** One of the values. */
  pick<T>(values: readonly T[]): T {
    return values[this.next(values.length)];
  }

  shuffled<T>(values: Iterable<T>): T[] {
    const all = [...values];
    for (let i = all.length - 1; i > 0; i--) {
      const j = this.next(i + 1);
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
  }
}
