/**
 * Memory that does not change for its reader: each page is copied when it is
 * first read, and from then on the copy is returned. This allows saving what
 * one analysis saw of a running guest, so that repeating the analysis on it
 * gives the same result.
 *
 * @module
 */

import { allocateBytes } from "../base/allocate.ts";
import { GRANULE, mergeRanges } from "./elf_core_ranges.ts";
import type { GpaRange, PhysicalMemory } from "./physical_memory.ts";
import { ReadOnlyMemory } from "./write_guard.ts";

/** Pages whose copies are allocated together. */
const SLAB_PAGES = 256;
/** The largest sub-buffer: 1024 pages of 64 KiB. */
const MOST_BLOCK = 64 << 20;
/** How often a block whose header keeps changing is copied again. */
const TRIES = 50;

/** A read-only {@linkcode PhysicalMemory} over another. */
export class FrozenMemory extends ReadOnlyMemory implements PhysicalMemory {
  protected readonly kind = "frozen memory";
  readonly #inner: PhysicalMemory;
  /** The copies, by page number. */
  readonly #pages = new Map<number, Uint8Array>();
  readonly #zeros = new Set<number>();
  readonly #head = new Uint8Array(16);
  #slab = new Uint8Array(0);
  #used = 0;
  #keeping = true;

  /** @param inner is not closed when this is disposed of. */
  constructor(inner: PhysicalMemory) {
    super();
    this.#inner = inner;
  }

  get name(): string {
    return this.#inner.name;
  }
  get ranges(): readonly GpaRange[] {
    return this.#inner.ranges;
  }
  get ram(): readonly GpaRange[] | undefined {
    return this.#inner.ram;
  }

  /** How many pages have been read. */
  get pageCount(): number {
    return this.#pages.size;
  }

  /** The pages read so far, as ascending, disjoint ranges. */
  touched(): GpaRange[] {
    return asRanges(this.#pages.keys());
  }

  /**
   * The pages that hold data: of the pages read so far, those that are not all
   * zeros; of all others, what the underlying memory reports.
   */
  dataRanges(): GpaRange[] {
    const ranges: GpaRange[] = [];
    const zeros = asRanges(this.#zeros);
    let i = 0;
    const data = mergeRanges([...this.#inner.dataRanges(), ...this.touched()]);
    for (const { start, end } of data) {
      let at = start;
      while (i < zeros.length && zeros[i].end <= at) i++;
      for (let j = i; j < zeros.length && zeros[j].start < end; j++) {
        if (zeros[j].start > at) {
          ranges.push({ start: at, end: zeros[j].start });
        }
        at = Math.max(at, zeros[j].end);
      }
      if (at < end) ranges.push({ start: at, end });
    }
    return ranges;
  }

  /**
   * Copies the block at `gpa` as a whole, and again as long as its first 16
   * bytes change meanwhile: a ring-buffer page has its time stamp and commit
   * there.
   *
   * @param length in bytes, a multiple of the page size
   * @throws {MemoryError} when it cannot be read.
   */
  freeze(gpa: number, length: number): void {
    const copy = allocateBytes(length, MOST_BLOCK, "a sub-buffer");
    for (let tries = 0; tries < TRIES; tries++) {
      this.#inner.read(gpa, copy);
      this.#inner.read(gpa, this.#head);
      if (this.#head.every((byte, i) => byte === copy[i])) break;
    }
    for (let at = 0; at < length; at += GRANULE) {
      this.#keep((gpa + at) / GRANULE, copy.subarray(at, at + GRANULE));
    }
  }

  read(gpa: number, into: Uint8Array): void {
    if (!this.#keeping) return this.#readThrough(gpa, into);
    for (let done = 0; done < into.length;) {
      const at = gpa + done;
      const offset = at % GRANULE;
      const length = Math.min(GRANULE - offset, into.length - done);
      const page = this.#page((at - offset) / GRANULE);
      for (let i = 0; i < length; i++) into[done + i] = page[offset + i];
      done += length;
    }
  }

  /**
   * From now on, pages that have not been read yet are no longer copied but
   * read directly each time.
   */
  stopKeeping(): void {
    this.#keeping = false;
  }

  /** Returns the copies of pages that have one, and all others directly. */
  #readThrough(gpa: number, into: Uint8Array): void {
    this.#inner.read(gpa, into);
    const first = Math.floor(gpa / GRANULE);
    const last = Math.floor((gpa + into.length - 1) / GRANULE);
    for (let page = first; page <= last; page++) {
      const copy = this.#pages.get(page);
      if (copy === undefined) continue;
      const start = Math.max(page * GRANULE, gpa);
      const end = Math.min((page + 1) * GRANULE, gpa + into.length);
      into.set(
        copy.subarray(start - page * GRANULE, end - page * GRANULE),
        start - gpa,
      );
    }
  }

  /** No view is given out: its pages may still have to be copied. */
  view(): undefined {
    return undefined;
  }

  /**
   * Searches the underlying memory as it is now; the pages that hold matches
   * are copied.
   */
  search(needle: Uint8Array, limit?: number): number[] {
    const hits = this.#inner.search(needle, limit);
    const found = new Uint8Array(needle.length);
    return hits.filter((hit) => {
      this.read(hit, found);
      return found.every((byte, i) => byte === needle[i]);
    });
  }

  [Symbol.dispose](): void {
    this.#pages.clear();
    this.#zeros.clear();
  }

  #page(number: number): Uint8Array {
    const known = this.#pages.get(number);
    if (known !== undefined) return known;
    const copy = new Uint8Array(GRANULE);
    this.#inner.read(number * GRANULE, copy);
    return this.#keep(number, copy);
  }

  #keep(number: number, bytes: Uint8Array): Uint8Array {
    if (this.#used === this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_PAGES * GRANULE);
      this.#used = 0;
    }
    const copy = this.#slab.subarray(this.#used, this.#used + GRANULE);
    this.#used += GRANULE;
    copy.set(bytes);
    this.#pages.set(number, copy);
    if (copy.every((byte) => byte === 0)) this.#zeros.add(number);
    else this.#zeros.delete(number);
    return copy;
  }
}

function asRanges(pages: Iterable<number>): GpaRange[] {
  const ranges: { start: number; end: number }[] = [];
  for (const page of Float64Array.from(pages).sort()) {
    const start = page * GRANULE;
    const last = ranges[ranges.length - 1];
    if (last?.end === start) last.end += GRANULE;
    else ranges.push({ start, end: start + GRANULE });
  }
  return ranges;
}
