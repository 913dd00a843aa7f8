/**
 * Histograms of durations from one ns to months, in little memory: 32 buckets
 * for each power of two, so that a value is known to about three per cent.
 *
 * Written by the format `html`, and read by its page.
 *
 * @module
 */

/** Buckets of each power of two. */
const PARTS = 32;

/** The bucket of a duration in ns; what is no positive number is in the first. */
export function bucketOf(ns: number): number {
  const value = ns > 0 ? Math.min(Math.floor(ns), Number.MAX_SAFE_INTEGER) : 0;
  if (value < PARTS) return value;
  let power = value < 0x80000000
    ? 31 - Math.clz32(value)
    : Math.floor(Math.log2(value));
  // A logarithm just below a whole number is rounded up to it.
  if (2 ** power > value) power--;
  return (power - 4) * PARTS + Math.floor(value / 2 ** (power - 5)) - PARTS;
}

/** The least duration of a bucket, in ns. */
export function bucketStart(bucket: number): number {
  if (bucket < PARTS) return bucket;
  const power = Math.floor(bucket / PARTS) + 4;
  return (bucket % PARTS + PARTS) * 2 ** (power - 5);
}

/** Durations and how many there were of each. */
export class Histogram {
  /** Number of durations. */
  count = 0;
  /** Their sum, in ns. */
  total = 0;
  min = Infinity;
  max = 0;
  readonly #buckets = new Map<number, number>();

  /** Adds a duration in ns. */
  add(ns: number): void {
    this.count++;
    this.total += ns;
    if (ns < this.min) this.min = ns;
    if (ns > this.max) this.max = ns;
    const bucket = bucketOf(ns);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
  }

  /** `bucket, count, bucket, count ...`, by bucket. */
  pairs(): number[] {
    return [...this.#buckets].sort(([a], [b]) => a - b).flat();
  }
}

/**
 * A duration that this share of all does not exceed, in ns: the end of the
 * bucket in which it lies, and so at most three per cent too much.
 *
 * @param pairs as {@linkcode Histogram.pairs} returns them
 * @param share from 0 to 1: 0.99
 * @param max the longest of all
 */
export function percentile(
  pairs: readonly number[],
  share: number,
  max: number,
): number {
  let count = 0;
  for (let i = 1; i < pairs.length; i += 2) count += pairs[i];
  let seen = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    seen += pairs[i + 1];
    if (seen >= share * count) {
      return Math.min(max, bucketStart(pairs[i] + 1) - 1);
    }
  }
  return max;
}
