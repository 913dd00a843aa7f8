/**
 * Which bytes of a core's file are which of the guest. Pure.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import type { LoadSegment } from "./elf_core_format.ts";
import { mergeRanges, subtractRanges } from "./elf_core_ranges.ts";
import type { GpaRange } from "./physical_memory.ts";

/** A part of guest memory and where its bytes are. */
export interface CorePart extends GpaRange {
  /** Offset in the file, or -1 when the part is all zeros. */
  readonly offset: number;
}

/** More bytes of RAM than any guest has: the 52 bits of a GPA. */
const MOST_RAM = 2 ** 52;

/**
 * The segments as disjoint parts, ascending. Segments may overlap (kdump maps
 * the kernel's text a second time beside the direct map): the first one in the
 * file takes precedence, and bytes take precedence over zeros.
 *
 * @param size bytes of the file
 * @throws {XftraceError} when they claim more memory than the file can hold: a
 * file in which many segments have the same bytes would take for ever to
 * search.
 */
export function coreParts(
  path: string,
  loads: readonly LoadSegment[],
  size: number,
): CorePart[] {
  const held = loads.reduce((sum, { fileSize }) => sum + fileSize, 0);
  const last = loads.reduce(
    (most, { paddr, memSize }) => Math.max(most, paddr + memSize),
    0,
  );
  if (held > 2 * size || last > MOST_RAM) {
    throw new XftraceError(
      `${path} is damaged: its ${loads.length} segments claim more memory than it can hold`,
    );
  }
  const parts = disjointParts(loads.filter(({ fileSize }) => fileSize > 0));
  const zeros = mergeRanges(loads.map(({ paddr, fileSize, memSize }) => ({
    start: paddr + fileSize,
    end: paddr + memSize,
  })));
  for (const range of subtractRanges(zeros, mergeRanges(parts))) {
    parts.push({ ...range, offset: -1 });
  }
  return parts.sort((a, b) => a.start - b.start);
}

/** What of each segment none before it has, ascending. */
export function disjointParts(
  loads: readonly Pick<LoadSegment, "paddr" | "offset" | "fileSize">[],
): CorePart[] {
  const order = loads.map((_, i) => i)
    .sort((a, b) => loads[a].paddr - loads[b].paddr);
  const endOf = (i: number) => loads[i].paddr + loads[i].fileSize;
  const parts: { start: number; end: number; offset: number }[] = [];
  /** The segment that `parts` ends with. */
  let holder = -1;
  const add = (segment: number, start: number, end: number) => {
    if (start >= end) return;
    const last = parts.at(-1);
    if (last !== undefined && holder === segment && last.end === start) {
      last.end = end;
      return;
    }
    const { paddr, offset } = loads[segment];
    parts.push({ start, end, offset: offset + start - paddr });
    holder = segment;
  };
  // Segments that begin at or before `at`: the first of the file at the top.
  const open = new Smallest();
  let at = 0;
  for (let next = 0; next < order.length || open.size > 0;) {
    while (open.size > 0 && endOf(open.top) <= at) open.pop();
    if (open.size === 0) {
      if (next >= order.length) break;
      at = Math.max(at, loads[order[next]].paddr);
    }
    while (next < order.length && loads[order[next]].paddr <= at) {
      open.push(order[next++]);
    }
    while (open.size > 0 && endOf(open.top) <= at) open.pop();
    if (open.size === 0) continue;
    const begins = next < order.length ? loads[order[next]].paddr : Infinity;
    const end = Math.min(endOf(open.top), begins);
    add(open.top, at, end);
    at = end;
  }
  return parts;
}

/** Numbers of which the smallest is at hand: a binary heap. */
class Smallest {
  readonly #heap: number[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get top(): number {
    return this.#heap[0];
  }

  push(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if (heap[above] <= value) break;
      heap[at] = heap[above];
      at = above;
    }
    heap[at] = value;
  }

  pop(): void {
    const heap = this.#heap;
    const value = heap.pop();
    if (value === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1] < heap[below]) below++;
      if (heap[below] >= value) break;
      heap[at] = heap[below];
      at = below;
    }
    heap[at] = value;
  }
}
