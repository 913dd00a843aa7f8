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

/**
 * Ascending ranges without overlaps that cover what the given ones cover: where
 * several overlap, the one that matters most has the place, so that none hides
 * another one that is more.
 *
 * @param rank lower for what matters more
 */
export function disjoint<T extends GvaRange>(
  ranges: readonly T[],
  rank: (range: T) => number,
): T[] {
  const byRank = ranges.map((range) => ({ range, rank: rank(range) }))
    .filter(({ range: { start, end } }) => end > start)
    .sort((a, b) => a.rank - b.rank);
  let found: T[] = [];
  // Each only has what those before it have left.
  for (let i = 0; i < byRank.length;) {
    const level = byRank[i].rank;
    const same: T[] = [];
    for (; i < byRank.length && byRank[i].rank === level; i++) {
      same.push(byRank[i].range);
    }
    const added: T[] = [];
    let at = 0;
    let covered = 0n;
    for (const range of same.sort(byStart)) {
      let { start } = range;
      if (start < covered) start = covered;
      covered = covered > range.end ? covered : range.end;
      while (at < found.length && found[at].end <= start) at++;
      for (let next = at; start < range.end; next++) {
        const taken = next < found.length ? found[next] : undefined;
        const end = taken === undefined || taken.start > range.end
          ? range.end
          : taken.start;
        if (end > start) added.push({ ...range, start, end });
        if (taken === undefined || taken.end >= range.end) break;
        if (taken.end > start) start = taken.end;
      }
    }
    found = [...found, ...added].sort(byStart);
  }
  return found;
}

function byStart(a: GvaRange, b: GvaRange): number {
  return a.start < b.start ? -1 : a.start > b.start ? 1 : 0;
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
