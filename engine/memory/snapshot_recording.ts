/**
 * Finds out which pages a piece of work needs, by watching it read them: a
 * snapshot of those pages can be read by the same work later.
 *
 * @module
 */

import { GRANULE, mergeRanges } from "./elf_core_ranges.ts";
import type { GpaRange, PhysicalMemory } from "./physical_memory.ts";

/**
 * A {@linkcode PhysicalMemory} that passes everything on to another and
 * remembers the pages touched. A search counts its hits alone: with those
 * saved, the same search has the same answer on the snapshot.
 */
export class RecordingMemory implements PhysicalMemory {
  readonly #inner: PhysicalMemory;
  readonly #pages = new Set<number>();
  #lastPage = -1;
  #paused = 0;

  constructor(inner: PhysicalMemory) {
    this.#inner = inner;
  }

  get name(): string {
    return this.#inner.name;
  }
  get writable(): boolean {
    return this.#inner.writable;
  }
  makeWritable(): void {
    this.#inner.makeWritable();
  }
  get live(): boolean {
    return this.#inner.live;
  }
  get ranges(): readonly GpaRange[] {
    return this.#inner.ranges;
  }

  /** How many pages were touched. */
  get pageCount(): number {
    return this.#pages.size;
  }

  /** The pages touched so far, as ascending, disjoint ranges. */
  touched(): GpaRange[] {
    const pages = Float64Array.from(this.#pages).sort();
    const ranges: { start: number; end: number }[] = [];
    for (const page of pages) {
      const start = page * GRANULE;
      const last = ranges[ranges.length - 1];
      if (last?.end === start) last.end += GRANULE;
      else ranges.push({ start, end: start + GRANULE });
    }
    return mergeRanges(ranges);
  }

  /** Counts a range as touched without reading it. */
  touch(gpa: number, length: number): void {
    if (this.#paused > 0 || length <= 0) return;
    const first = Math.floor(gpa / GRANULE);
    const last = Math.floor((gpa + length - 1) / GRANULE);
    if (first === last && first === this.#lastPage) return;
    for (let page = first; page <= last; page++) this.#pages.add(page);
    this.#lastPage = last;
  }

  /**
   * Runs `work` without remembering what it reads: for scans through all of
   * memory, which would save everything. {@linkcode touch} what they find.
   */
  untouched<T>(work: () => T): T {
    this.#paused++;
    try {
      return work();
    } finally {
      this.#paused--;
    }
  }

  /** Forgets all pages. */
  clear(): void {
    this.#pages.clear();
    this.#lastPage = -1;
  }

  dataRanges(): GpaRange[] {
    return this.#inner.dataRanges();
  }

  read(gpa: number, into: Uint8Array): void {
    this.#inner.read(gpa, into);
    this.touch(gpa, into.length);
  }

  view(gpa: number, length: number): Uint8Array | undefined {
    const view = this.#inner.view(gpa, length);
    if (view !== undefined) this.touch(gpa, length);
    return view;
  }

  search(needle: Uint8Array, limit?: number): number[] {
    const hits = this.#inner.search(needle, limit);
    for (const hit of hits) this.touch(hit, needle.length);
    return hits;
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.#inner.write(gpa, bytes);
    this.touch(gpa, bytes.length);
  }

  compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    const held = this.#inner.compareExchange(
      gpa,
      width,
      expected,
      replacement,
    );
    this.touch(gpa, width);
    return held;
  }

  [Symbol.dispose](): void {
    this.#inner[Symbol.dispose]();
  }
}
