/**
 * Guest memory through mapped backing files: the fastest way, zero-copy.
 *
 * @module
 */
import { GuestGoneError, MemoryError } from "../engine/base/errors.ts";
import {
  CLOSED,
  type GpaRange,
  type PhysicalMemory,
} from "../engine/memory/physical_memory.ts";
import { guardWrite } from "../engine/memory/write_guard.ts";
import { Mapping } from "./mapping.ts";

/** Where a run of guest RAM lies in a backing file. */
export interface MemorySegment {
  /** First GPA of the run. */
  readonly start: number;
  /** One past the run's last GPA. */
  readonly end: number;
  /** Index of the backing file. */
  readonly backing: number;
  /** Offset of the run in the backing file, in bytes. */
  readonly offset: number;
}

/** A backing file of guest RAM. */
export interface MemoryBacking {
  readonly path: string;
  /** Bytes used of it; default: its size. */
  readonly length?: number;
  /** Device and inode that it must have: `00:1d 1234`; default: any. */
  readonly identity?: string;
}

interface MappedSegment extends MemorySegment {
  readonly mapping: Mapping;
}

/**
 * {@linkcode PhysicalMemory} over mapped files. All reads go through read-only
 * mappings, which cannot change the guest whatever the code above does; writes
 * go through separate mappings.
 */
export class MappedMemory implements PhysicalMemory {
  readonly name: string;
  readonly live: boolean;
  readonly ranges: readonly GpaRange[];
  readonly #mappings: Mapping[] = [];
  /** The same files mapped for writing; empty until `makeWritable`. */
  #writes: readonly Mapping[] = [];
  readonly #segments: MappedSegment[] = [];
  #closed = false;

  /**
   * Maps the files.
   *
   * @throws {XftraceError} when one cannot be opened or mapped.
   */
  constructor(
    name: string,
    backings: readonly MemoryBacking[],
    segments: readonly MemorySegment[],
    options: { writable?: boolean; live?: boolean } = {},
  ) {
    this.name = name;
    this.live = options.live ?? true;
    try {
      for (const backing of backings) {
        this.#mappings.push(
          Mapping.open(backing.path, {
            writable: false,
            length: backing.length,
            identity: backing.identity,
          }),
        );
      }
      for (const segment of segments) {
        const mapping = this.#mappings[segment.backing];
        const end = segment.offset + (segment.end - segment.start);
        if (end > mapping.bytes.length) {
          throw new MemoryError(
            name,
            segment.start,
            `the RAM layout needs ${end} bytes of ${
              backings[segment.backing].path
            }, which has ${mapping.bytes.length}`,
          );
        }
        this.#segments.push({ ...segment, mapping });
      }
      if (options.writable === true) this.makeWritable();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.#segments.sort((a, b) => a.start - b.start);
    this.ranges = this.#segments.map(({ start, end }) => ({ start, end }));
  }

  /** Whether writes are allowed now. */
  get writable(): boolean {
    return this.#writes.length > 0;
  }

  makeWritable(): void {
    if (this.writable) return;
    const made: Mapping[] = [];
    try {
      for (const mapping of this.#mappings) made.push(mapping.reopenWritable());
    } catch (error) {
      for (const mapping of made) mapping[Symbol.dispose]();
      throw error;
    }
    this.#writes = made;
  }

  /** Whether every backing file is still as long as its mapping. */
  get intact(): boolean {
    return this.#mappings.every((mapping) => mapping.intact);
  }

  #segment(gpa: number, length: number): MappedSegment | undefined {
    for (const segment of this.#segments) {
      if (gpa >= segment.start && gpa + length <= segment.end) return segment;
    }
    return undefined;
  }

  #require(gpa: number, length: number): MappedSegment {
    const segment = this.#segment(gpa, length);
    if (segment !== undefined) return segment;
    throw new MemoryError(
      this.name,
      gpa,
      this.#closed ? CLOSED : `${length} bytes there are not guest RAM`,
    );
  }

  /** Refuses what was read or written when the file was cut short meanwhile. */
  #requireThere(mapping: Mapping): void {
    if (!mapping.lost) return;
    throw new GuestGoneError(
      `${this.name}: its memory is gone: ${mapping.path} was cut short, or the host has no memory left for it`,
    );
  }

  dataRanges(): GpaRange[] {
    return this.#segments.flatMap((segment) => {
      const shift = segment.start - segment.offset;
      return segment.mapping
        .dataRanges(
          segment.offset,
          segment.offset + segment.end - segment.start,
        )
        .map((r) => ({ start: r.start + shift, end: r.end + shift }));
    });
  }

  read(gpa: number, into: Uint8Array): void {
    const segment = this.#segment(gpa, into.length);
    if (segment !== undefined) {
      const at = gpa - segment.start + segment.offset;
      into.set(segment.mapping.bytes.subarray(at, at + into.length));
      this.#requireThere(segment.mapping);
      return;
    }
    // A range may continue in the next segment (those of NUMA backends are
    // adjacent).
    const first = this.#require(gpa, 1);
    const here = first.end - gpa;
    if (here >= into.length) this.#require(gpa, into.length);
    this.read(gpa, into.subarray(0, here));
    this.read(gpa + here, into.subarray(here));
  }

  view(gpa: number, length: number): Uint8Array | undefined {
    const segment = this.#segment(gpa, length);
    if (segment === undefined) return undefined;
    this.#requireThere(segment.mapping);
    const at = gpa - segment.start + segment.offset;
    return segment.mapping.bytes.subarray(at, at + length);
  }

  search(needle: Uint8Array, limit = Infinity): number[] {
    const bytes = Uint8Array.from(needle);
    const found: number[] = [];
    for (const segment of this.#segments) {
      const shift = segment.start - segment.offset;
      const stop = segment.offset + segment.end - segment.start;
      for (const range of segment.mapping.dataRanges(segment.offset, stop)) {
        let at = range.start;
        while (found.length < limit && at + bytes.length <= range.end) {
          const hit = segment.mapping.find(bytes, at, range.end);
          this.#requireThere(segment.mapping);
          if (hit < 0) break;
          found.push(hit + shift);
          at = hit + 1;
        }
      }
    }
    return found;
  }

  /** The mapping to write to, and the offset in it. */
  #writable(
    gpa: number,
    length: number,
    width?: number,
  ): { mapping: Mapping; at: number } {
    guardWrite(this, gpa, width);
    const { start, offset, backing } = this.#require(gpa, length);
    return { mapping: this.#writes[backing], at: gpa - start + offset };
  }

  write(gpa: number, bytes: Uint8Array): void {
    const { mapping, at } = this.#writable(gpa, bytes.length);
    mapping.bytes.set(bytes, at);
    this.#requireThere(mapping);
  }

  compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    const { mapping, at } = this.#writable(gpa, width, width);
    const old = exchange(mapping.buffer, at, width, expected, replacement);
    this.#requireThere(mapping);
    return old;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#segments.length = 0;
    for (const mapping of this.#mappings) mapping[Symbol.dispose]();
    for (const mapping of this.#writes) mapping[Symbol.dispose]();
  }
}

/** Exchanges a word of a mapping, atomically; returns what it held. */
function exchange(
  buffer: ArrayBuffer,
  at: number,
  width: 4 | 8,
  expected: bigint,
  replacement: bigint,
): bigint {
  if (width === 4) {
    const word = new Int32Array(buffer, at, 1);
    const old = Atomics.compareExchange(
      word,
      0,
      Number(BigInt.asIntN(32, expected)),
      Number(BigInt.asIntN(32, replacement)),
    );
    return BigInt.asUintN(32, BigInt(old));
  }
  const word = new BigUint64Array(buffer, at, 1);
  return Atomics.compareExchange(word, 0, expected, replacement);
}
