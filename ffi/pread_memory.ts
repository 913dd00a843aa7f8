/**
 * Guest memory through positioned reads of a file: slower than a mapping, but a
 * file that shrinks or a process that ends gives an error instead of a signal.
 * Used for `--safe-read` and `/proc/PID/mem`.
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
import { Buffer } from "node:buffer";
import { errnoText } from "./libc.ts";
import { FileDescriptor, type FileRange } from "./file_descriptor.ts";
import { Mapping } from "./mapping.ts";
import type { MemorySegment } from "./mapped_memory.ts";

/** How a {@linkcode PreadMemory} finds what is not a hole. */
export type DataRangeFinder = (start: number, end: number) => FileRange[];

/** Options of {@linkcode PreadMemory}. */
export interface PreadMemoryOptions {
  /** Open for writing; default: read-only. */
  readonly writable?: boolean;
  /** Whether a guest may be changing the bytes; default: true. */
  readonly live?: boolean;
  /**
   * Finds the parts of the first file that are not holes, in file offsets;
   * default: asks the file system. `/proc/PID/mem` has no holes; the page map
   * tells.
   */
  readonly dataRanges?: DataRangeFinder;
  /** Device and inode that each file must have; default: any. */
  readonly identities?: readonly (string | undefined)[];
}

const CHUNK = 1 << 20;

/** Maps the file for a moment, which shows which file it is. */
function requireMapped(file: FileDescriptor, identity: string): void {
  using _ = Mapping.open(`/proc/self/fd/${file.fd}`, {
    writable: false,
    identity,
  });
}

/** {@linkcode PhysicalMemory} over `pread` and `pwrite`. */
export class PreadMemory implements PhysicalMemory {
  readonly name: string;
  #writable: boolean;
  readonly live: boolean;
  readonly ranges: readonly GpaRange[];
  readonly #files: FileDescriptor[] = [];
  #segments: readonly MemorySegment[];
  #closed = false;
  readonly #dataRanges: DataRangeFinder | undefined;

  /**
   * Opens the files.
   *
   * @throws {XftraceError} when one cannot be opened.
   */
  constructor(
    name: string,
    paths: readonly string[],
    segments: readonly MemorySegment[],
    options: PreadMemoryOptions = {},
  ) {
    this.name = name;
    this.#writable = options.writable ?? false;
    this.live = options.live ?? true;
    this.#dataRanges = options.dataRanges;
    this.#segments = segments.toSorted((a, b) => a.start - b.start);
    this.ranges = this.#segments.map(({ start, end }) => ({ start, end }));
    try {
      paths.forEach((path, i) => {
        const file = FileDescriptor.open(path, { writable: this.writable });
        this.#files.push(file);
        const identity = options.identities?.[i];
        if (identity !== undefined) requireMapped(file, identity);
      });
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Whether writes are allowed now. */
  get writable(): boolean {
    return this.#writable;
  }

  /**
   * Whether the files are as long as the memory needs; `undefined` when they
   * have no size, as a process's memory.
   */
  get intact(): boolean | undefined {
    if (this.#closed) return false;
    if (this.#dataRanges !== undefined) return undefined;
    return this.#segments.every(({ start, end, offset, backing }) =>
      this.#files[backing].size() >= offset + end - start
    );
  }

  makeWritable(): void {
    if (this.#writable) return;
    const made: FileDescriptor[] = [];
    try {
      for (const file of this.#files) made.push(file.reopenWritable());
    } catch (error) {
      for (const file of made) file[Symbol.dispose]();
      throw error;
    }
    for (const file of this.#files.splice(0, Infinity, ...made)) {
      file[Symbol.dispose]();
    }
    this.#writable = true;
  }

  #segment(gpa: number): MemorySegment {
    for (const segment of this.#segments) {
      if (gpa >= segment.start && gpa < segment.end) return segment;
    }
    throw new MemoryError(
      this.name,
      gpa,
      this.#closed ? CLOSED : "not guest RAM",
    );
  }

  /** Runs `each` over the pieces of `[gpa, gpa + length)`, one per segment. */
  #pieces(
    gpa: number,
    length: number,
    each: (
      file: FileDescriptor,
      offset: number,
      from: number,
      to: number,
    ) => number,
  ): void {
    let done = 0;
    while (done < length) {
      const segment = this.#segment(gpa + done);
      const to = Math.min(length, done + segment.end - (gpa + done));
      const file = this.#files[segment.backing];
      const offset = gpa + done - segment.start + segment.offset;
      const got = each(file, offset, done, to);
      if (got < 0) {
        throw new MemoryError(this.name, gpa + done, errnoText(-got));
      }
      if (got === 0) {
        throw new GuestGoneError(
          `${this.name}: its memory is gone (${file.path} ends before offset ${offset}); the guest has ended or its file was cut`,
        );
      }
      done += got;
    }
  }

  read(gpa: number, into: Uint8Array): void {
    const bytes = into as Uint8Array<ArrayBuffer>;
    this.#pieces(
      gpa,
      into.length,
      (file, offset, from, to) =>
        file.pread(
          from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to),
          offset,
        ),
    );
  }

  view(): undefined {
    return undefined;
  }

  dataRanges(): GpaRange[] {
    return this.#segments.flatMap((segment) => {
      const { offset } = segment;
      const stop = offset + segment.end - segment.start;
      const found = this.#dataRanges?.(offset, stop) ??
        this.#files[segment.backing].dataRanges(offset, stop);
      const shift = segment.start - offset;
      return found.map((r) => ({ start: r.start + shift, end: r.end + shift }));
    });
  }

  search(needle: Uint8Array, limit = Infinity): number[] {
    const found: number[] = [];
    const wanted = Buffer.from(needle);
    const chunk = Buffer.alloc(CHUNK);
    for (const range of this.dataRanges()) {
      let at = range.start;
      while (at + needle.length <= range.end && found.length < limit) {
        const size = Math.min(CHUNK, range.end - at);
        this.read(at, chunk.subarray(0, size));
        let hit = chunk.subarray(0, size).indexOf(wanted);
        while (hit >= 0 && found.length < limit) {
          found.push(at + hit);
          hit = chunk.subarray(0, size).indexOf(wanted, hit + 1);
        }
        if (size < CHUNK) break;
        // The needle may span two chunks.
        at += size - needle.length + 1;
      }
    }
    return found;
  }

  write(gpa: number, bytes: Uint8Array): void {
    guardWrite(this, gpa);
    const source = bytes as Uint8Array<ArrayBuffer>;
    this.#pieces(
      gpa,
      bytes.length,
      (file, offset, from, to) =>
        file.pwrite(source.subarray(from, to), offset),
    );
  }

  /**
   * As the interface says, but not atomic: `pread`, compare, `pwrite`. A
   * `pwrite` of one word is one copy in the kernel, but a change that a guest
   * CPU makes between the read and the write is lost.
   */
  compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    guardWrite(this, gpa, width);
    const word = new Uint8Array(8).subarray(0, width);
    const view = new DataView(word.buffer);
    this.read(gpa, word);
    const old = width === 4
      ? BigInt(view.getUint32(0, true))
      : view.getBigUint64(0, true);
    if (old !== BigInt.asUintN(width * 8, expected)) return old;
    if (width === 4) {
      view.setUint32(0, Number(BigInt.asUintN(32, replacement)), true);
    } else view.setBigUint64(0, replacement, true);
    this.write(gpa, word);
    return old;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#segments = [];
    for (const file of this.#files) file[Symbol.dispose]();
    this.#files.length = 0;
  }
}
