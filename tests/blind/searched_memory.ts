/**
 * A recorded guest's memory that knows which of its words were read, and in
 * which one word at a time can be replaced.
 *
 * @module
 */
import { MemoryError } from "../../engine/base/errors.ts";
import { searchRanges } from "../../engine/memory/elf_core_search.ts";
import type {
  GpaRange,
  PhysicalMemory,
} from "../../engine/memory/physical_memory.ts";
import { ReadOnlyMemory } from "../../engine/memory/write_guard.ts";

/** Bytes of a word. */
export const WORD = 8;
const PAGE = 4096;

/** A run read far more than an unchanged guest needs. */
export class EndlessReading extends Error {}

interface Part {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Memory in RAM of the host, with a record of what is read. */
export class SearchedMemory extends ReadOnlyMemory implements PhysicalMemory {
  readonly name = "core:searched";
  protected readonly kind = "a core";
  readonly ranges: readonly GpaRange[];
  readonly #data: readonly GpaRange[];
  readonly #parts: readonly Part[];
  #only: readonly GpaRange[] | undefined;
  #seen: WordsRead | undefined;
  #bytesRead = 0;
  #most = Infinity;
  /** Words whose reads are told, by page. */
  #traps: ReadonlyMap<number, readonly number[]> | undefined;
  #hit: (gpa: number) => void = () => {};

  /** @param from is copied as a whole, and not closed */
  constructor(from: PhysicalMemory) {
    super();
    this.ranges = from.ranges;
    this.#data = from.dataRanges();
    this.#parts = from.ranges.map(({ start, end }) => {
      const bytes = new Uint8Array(end - start);
      from.read(start, bytes);
      return { start, bytes };
    });
  }

  dataRanges(): GpaRange[] {
    return [...this.#only ?? this.#data];
  }

  /**
   * From now on, pages are all that holds data, for readers of all memory: those
   * of some words. `undefined`: all memory does.
   */
  only(gpas: Iterable<number> | undefined): void {
    if (gpas === undefined) {
      this.#only = undefined;
      return;
    }
    const pages = new Set([...gpas].map((gpa) => Math.floor(gpa / PAGE)));
    this.#only = [...pages].sort((a, b) => a - b)
      .map((page) => ({ start: page * PAGE, end: (page + 1) * PAGE }));
  }

  /** No views: every read is to be seen. */
  view(): undefined {
    return undefined;
  }

  read(gpa: number, into: Uint8Array): void {
    const { start, bytes } = this.#part(gpa, into.length);
    this.#bytesRead += into.length + 64;
    if (this.#bytesRead > this.#most) {
      throw new EndlessReading("it reads without end");
    }
    this.#seen?.add(gpa, into.length);
    if (this.#traps !== undefined) this.#spring(this.#traps, gpa, into.length);
    if (into.length <= 16) {
      const at = gpa - start;
      for (let i = 0; i < into.length; i++) into[i] = bytes[at + i];
    } else into.set(bytes.subarray(gpa - start, gpa - start + into.length));
  }

  /** Finds bytes without counting as a reader of all memory. */
  search(needle: Uint8Array, limit?: number): number[] {
    return searchRanges(
      this.#data,
      (gpa, into) => into.set(this.#at(gpa, into.length)),
      needle,
      limit,
    );
  }

  /** A word as it is now; not counted as read. */
  peek(gpa: number): bigint {
    const bytes = this.#at(gpa, WORD);
    return new DataView(bytes.buffer, bytes.byteOffset, WORD)
      .getBigUint64(0, true);
  }

  /** Replaces a word. */
  poke(gpa: number, value: bigint): void {
    const bytes = this.#at(gpa, WORD);
    new DataView(bytes.buffer, bytes.byteOffset, WORD)
      .setBigUint64(0, value, true);
  }

  /** Replaces bytes. */
  put(gpa: number, bytes: Uint8Array): void {
    this.#at(gpa, bytes.length).set(bytes);
  }

  /** Keeps which words are read from now on; `undefined`: no longer. */
  watch(seen: WordsRead | undefined): void {
    this.#seen = seen;
  }

  /**
   * Counts the bytes that are read while `body` runs; past `most` reading
   * fails with {@linkcode EndlessReading}.
   */
  async counted<T>(most: number, body: () => Promise<T>): Promise<T> {
    this.#bytesRead = 0;
    this.#most = most;
    try {
      return await body();
    } finally {
      this.#most = Infinity;
    }
  }

  /** How much the last counted reader read, in bytes, and a bit for each read. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Runs what reads page tables to find out where something lies. */
  paging<T>(body: () => T): T {
    const seen = this.#seen;
    this.#seen = seen?.tables;
    try {
      return body();
    } finally {
      this.#seen = seen;
    }
  }

  /** Calls `hit` at each read of one of the words; without words, no longer. */
  trap(gpas: readonly number[] = [], hit: (gpa: number) => void = () => {}) {
    this.#traps = gpas.length === 0
      ? undefined
      : Map.groupBy(gpas, (gpa) => Math.floor(gpa / PAGE));
    this.#hit = hit;
  }

  #spring(
    traps: ReadonlyMap<number, readonly number[]>,
    gpa: number,
    length: number,
  ): void {
    const last = Math.floor((gpa + length - 1) / PAGE);
    for (let page = Math.floor(gpa / PAGE); page <= last; page++) {
      for (const at of traps.get(page) ?? []) {
        if (at + WORD > gpa && at < gpa + length) this.#hit(at);
      }
    }
  }

  #at(gpa: number, length: number): Uint8Array {
    const { start, bytes } = this.#part(gpa, length);
    return bytes.subarray(gpa - start, gpa - start + length);
  }

  #part(gpa: number, length: number): Part {
    for (const part of this.#parts) {
      if (gpa >= part.start && gpa - part.start + length <= part.bytes.length) {
        return part;
      }
    }
    throw new MemoryError(this.name, gpa, "no such memory in this recording");
  }

  [Symbol.dispose](): void {}
}

/** Reads up to this length are of members; longer ones of text or tables. */
const MEMBER_BYTES = 16;

/** Which words were read, as a set of GPAs. */
export class WordsRead {
  /** Read alone, as a member or a pointer. */
  readonly alone = new Set<number>();
  /** Lengths of the longer reads, by the first word. */
  readonly #bulk = new Map<number, Set<number>>();
  #tables: WordsRead | undefined;

  /** The words of page tables that were read on the way to others. */
  get tables(): WordsRead {
    return this.#tables ??= new WordsRead();
  }

  add(gpa: number, length: number): void {
    const first = gpa - gpa % WORD;
    if (length > MEMBER_BYTES) {
      const lengths = this.#bulk.get(first);
      if (lengths === undefined) {
        this.#bulk.set(first, new Set([gpa + length - first]));
      } else lengths.add(gpa + length - first);
      return;
    }
    for (let at = first; at < gpa + length; at += WORD) this.alone.add(at);
  }

  /** Whether a word was read, alone or along with others. */
  has(gpa: number): boolean {
    if (this.alone.has(gpa)) return true;
    this.#long ??= this.bulk(0, Infinity);
    return this.#long.has(gpa);
  }
  #long: ReadonlySet<number> | undefined;

  /** Leaves out the longer reads that another reader has made too. */
  leaveOut(other: WordsRead): void {
    for (const [first, lengths] of other.#bulk) {
      const own = this.#bulk.get(first);
      for (const length of lengths) own?.delete(length);
    }
  }

  /**
   * GPAs of the words that were read only along with others: by reads of at
   * least `from` bytes, and fewer than `to`.
   */
  bulk(from: number, to: number): Set<number> {
    const found = new Set<number>();
    for (const [first, lengths] of this.#bulk) {
      for (const length of lengths) {
        if (length < from || length >= to) continue;
        for (let at = first; at < first + length; at += WORD) {
          if (!this.alone.has(at)) found.add(at);
        }
      }
    }
    return found;
  }
}
