/**
 * Guest memory held in byte arrays, made by tests or cut out of something
 * larger.
 *
 * @module
 */

import { MemoryError } from "../base/errors.ts";
import { findRange } from "./elf_core_ranges.ts";
import { searchRanges } from "./elf_core_search.ts";
import type { GpaRange, PhysicalMemory } from "./physical_memory.ts";
import { guardWrite } from "./write_guard.ts";

/** Bytes and the GPA at which they lie. */
export interface BufferPiece {
  /** GPA of the first byte. */
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

/** Options of a {@linkcode BufferMemory}. */
export interface BufferMemoryOptions {
  /** Name for messages; default `buffer`. */
  readonly name?: string;
  /** Whether writes are allowed; default true. */
  readonly writable?: boolean;
  /** The value of `live`; default false. */
  readonly live?: boolean;
}

/**
 * A {@linkcode PhysicalMemory} over byte arrays. The arrays are used directly,
 * not copied, so writes show in them.
 */
export class BufferMemory implements PhysicalMemory {
  readonly name: string;
  #writable: boolean;
  readonly live: boolean;
  readonly ranges: readonly GpaRange[];
  readonly #pieces: readonly BufferPiece[];

  /**
   * @throws {MemoryError} when two pieces overlap.
   */
  constructor(
    pieces: Uint8Array | Iterable<BufferPiece>,
    options: BufferMemoryOptions = {},
  ) {
    this.name = options.name ?? "buffer";
    this.#writable = options.writable ?? true;
    this.live = options.live ?? false;
    const list = pieces instanceof Uint8Array
      ? [{ gpa: 0, bytes: pieces }]
      : [...pieces].sort((a, b) => a.gpa - b.gpa);
    this.#pieces = list;
    this.ranges = list.map((piece) => ({
      start: piece.gpa,
      end: piece.gpa + piece.bytes.length,
    }));
    for (let i = 1; i < list.length; i++) {
      if (this.ranges[i].start < this.ranges[i - 1].end) {
        throw new MemoryError(this.name, list[i].gpa, "pieces overlap");
      }
    }
  }

  dataRanges(): GpaRange[] {
    return [...this.ranges];
  }

  read(gpa: number, into: Uint8Array): void {
    this.#each(gpa, into.length, (bytes, at, length, done) => {
      into.set(bytes.subarray(at, at + length), done);
    });
  }

  view(gpa: number, length: number): Uint8Array | undefined {
    const index = findRange(this.ranges, gpa);
    if (index < 0 || gpa + length > this.ranges[index].end) return undefined;
    const { gpa: start, bytes } = this.#pieces[index];
    return bytes.subarray(gpa - start, gpa - start + length);
  }

  search(needle: Uint8Array, limit?: number): number[] {
    return searchRanges(
      this.ranges,
      (gpa, into) => this.read(gpa, into),
      needle,
      limit,
    );
  }

  write(gpa: number, bytes: Uint8Array): void {
    guardWrite(this, gpa);
    this.#each(gpa, bytes.length, (piece, at, length, done) => {
      piece.set(bytes.subarray(done, done + length), at);
    });
  }

  compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    guardWrite(this, gpa, width);
    const view = this.view(gpa, width);
    if (view === undefined) throw this.#missing(gpa);
    const data = new DataView(view.buffer, view.byteOffset, width);
    const held = width === 8
      ? data.getBigUint64(0, true)
      : BigInt(data.getUint32(0, true));
    if (held === BigInt.asUintN(width * 8, expected)) {
      if (width === 8) data.setBigUint64(0, replacement, true);
      else data.setUint32(0, Number(BigInt.asUintN(32, replacement)), true);
    }
    return held;
  }

  [Symbol.dispose](): void {}

  /** Calls `use` for each piece that an access touches. */
  #each(
    gpa: number,
    length: number,
    use: (bytes: Uint8Array, at: number, length: number, done: number) => void,
  ): void {
    for (let done = 0; done < length;) {
      const index = findRange(this.ranges, gpa + done);
      if (index < 0) throw this.#missing(gpa + done);
      const at = gpa + done - this.ranges[index].start;
      const part = Math.min(
        length - done,
        this.ranges[index].end - gpa - done,
      );
      use(this.#pieces[index].bytes, at, part, done);
      done += part;
    }
  }

  /** Whether writes are allowed now. */
  get writable(): boolean {
    return this.#writable;
  }

  makeWritable(): void {
    this.#writable = true;
  }

  #missing(gpa: number): MemoryError {
    return new MemoryError(this.name, gpa, "no RAM there");
  }
}

/** Memory that somebody else changes around each compare-and-exchange. */
export class BusyMemory extends BufferMemory {
  /** Called before each exchange. */
  before: (gpa: number) => void = () => {};
  /** Called after each exchange. */
  after: (gpa: number) => void = () => {};

  override compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    this.before(gpa);
    const held = super.compareExchange(gpa, width, expected, replacement);
    this.after(gpa);
    return held;
  }
}
