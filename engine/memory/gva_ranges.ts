/**
 * Ranges of guest virtual addresses. Pure.
 *
 * @module
 */

/** A half-open range of GVAs. */
export interface GvaRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** A half-open range of GVAs that are mapped with the same rights. */
export interface MappedRange extends GvaRange {
  /** Whether all levels of the page tables allow writing. */
  readonly writable: boolean;
}

/** Index of the range that holds a GVA in an ascending list, or -1. */
export function rangeAt(ranges: readonly GvaRange[], gva: bigint): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle].start <= gva) low = middle + 1;
    else high = middle;
  }
  return low > 0 && gva < ranges[low - 1].end ? low - 1 : -1;
}

/**
 * The first part of a range that an ascending list covers without a gap;
 * `undefined` if the list does not hold its start.
 */
export function coveredPart<T extends GvaRange>(
  range: T,
  by: readonly GvaRange[],
): T | undefined {
  let at = rangeAt(by, range.start);
  if (at < 0) return undefined;
  let { end } = by[at];
  while (end < range.end && by[at + 1]?.start === end) end = by[++at].end;
  return end < range.end ? { ...range, end } : range;
}

/** A list of ranges that joins adjacent ones with the same rights. */
export class RangeList {
  readonly ranges: MappedRange[] = [];
  /** How many ranges were added, before joining. */
  count = 0;

  /** Adds a range that begins at or after the end of the last one. */
  add(start: bigint, end: bigint, writable: boolean): void {
    this.count++;
    const last = this.ranges.at(-1);
    if (
      last !== undefined && last.end === start && last.writable === writable
    ) {
      this.ranges[this.ranges.length - 1] = { ...last, end };
    } else {
      this.ranges.push({ start, end, writable });
    }
  }
}

/** Tests whether GVAs, given as halves, lie in a range; made for scans. */
export class RangeTest {
  readonly #low: number;
  readonly #high: number;
  readonly #size: number;

  /** @param range must be smaller than 2^53 bytes */
  constructor({ start, end }: GvaRange) {
    this.#low = Number(start & 0xffffffffn);
    this.#high = Number(start >> 32n);
    this.#size = Number(end - start);
  }

  /** Whether the GVA with these unsigned halves lies in the range. */
  has(lo: number, hi: number): boolean {
    const past = (hi - this.#high) * 0x1_0000_0000 + lo - this.#low;
    return past >= 0 && past < this.#size;
  }
}
