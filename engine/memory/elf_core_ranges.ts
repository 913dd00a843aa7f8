/**
 * Arithmetic on GPA ranges: half-open, in bytes, as plain Numbers (52 bits fit
 * exactly; shifts would cut them to 32 bits and are not used).
 *
 * @module
 */

import type { GpaRange } from "./physical_memory.ts";

/**
 * Unit, in bytes, in which memory is cached, compared, and recorded: no guest
 * has smaller pages, and each page size is a multiple of it.
 */
export const GRANULE = 4096;

/** The ranges in ascending order, with touching and overlapping ones joined. */
export function mergeRanges(ranges: Iterable<GpaRange>): GpaRange[] {
  const sorted = [...ranges].filter((r) => r.end > r.start)
    .sort((a, b) => a.start - b.start);
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) {
      if (end > last.end) last.end = end;
    } else {
      merged.push({ start, end });
    }
  }
  return merged;
}

/**
 * The parts that lie in both lists; each list must be ascending and disjoint.
 */
export function intersectRanges(
  a: readonly GpaRange[],
  b: readonly GpaRange[],
): GpaRange[] {
  const both: GpaRange[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const start = Math.max(a[i].start, b[j].start);
    const end = Math.min(a[i].end, b[j].end);
    if (start < end) both.push({ start, end });
    if (a[i].end < b[j].end) i++;
    else j++;
  }
  return both;
}

/**
 * The parts of `a` that are not in `b`; each list must be ascending and
 * disjoint.
 */
export function subtractRanges(
  a: readonly GpaRange[],
  b: readonly GpaRange[],
): GpaRange[] {
  const left: GpaRange[] = [];
  let j = 0;
  for (const range of a) {
    let start = range.start;
    while (j < b.length && b[j].end <= start) j++;
    for (let k = j; k < b.length && b[k].start < range.end; k++) {
      if (b[k].start > start) left.push({ start, end: b[k].start });
      start = Math.max(start, b[k].end);
    }
    if (start < range.end) left.push({ start, end: range.end });
  }
  return left;
}

/** The total number of bytes in the ranges. */
export function totalBytes(ranges: Iterable<GpaRange>): number {
  let total = 0;
  for (const { start, end } of ranges) total += end - start;
  return total;
}

/** The ranges extended to whole granules and merged. */
export function wholeGranules(ranges: Iterable<GpaRange>): GpaRange[] {
  const widened: GpaRange[] = [];
  for (const { start, end } of ranges) {
    widened.push({
      start: Math.floor(start / GRANULE) * GRANULE,
      end: Math.ceil(end / GRANULE) * GRANULE,
    });
  }
  return mergeRanges(widened);
}

/**
 * Index of the range that holds `gpa`, or -1; the list must be ascending and
 * disjoint.
 */
export function findRange(ranges: readonly GpaRange[], gpa: number): number {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (gpa < range.start) high = middle - 1;
    else if (gpa >= range.end) low = middle + 1;
    else return middle;
  }
  return -1;
}
