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

/** A half-open range of GVAs mapped alike. */
export interface MappedRange extends GvaRange {
  /** Whether all levels allow writing. */
  readonly writable: boolean;
}

/** Index of the range that covers a GVA in an ascending list, -1 for none. */
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

/** A list of ranges in which those that touch and are alike become one. */
export class RangeList {
  readonly ranges: MappedRange[] = [];
  /** How many were added. */
  count = 0;

  /** Adds a range that begins where the last one ends, or behind it. */
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

/** Whether GVAs lie in a range, asked by their halves: for scans. */
export class RangeTest {
  readonly #low: number;
  readonly #high: number;
  readonly #size: number;

  /** @param range of less than 2^53 bytes */
  constructor({ start, end }: GvaRange) {
    this.#low = Number(start & 0xffffffffn);
    this.#high = Number(start >> 32n);
    this.#size = Number(end - start);
  }

  /** The halves of a GVA, both unsigned. */
  has(lo: number, hi: number): boolean {
    const past = (hi - this.#high) * 0x1_0000_0000 + lo - this.#low;
    return past >= 0 && past < this.#size;
  }
}
