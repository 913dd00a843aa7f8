/**
 * What the engine knows of a guest's memory: bytes at guest physical addresses
 * (GPA). A mapped file, `/proc/PID/mem`, an ELF core and a snapshot all
 * implement this interface, so nothing above needs to know where the bytes come
 * from, and replay needs no FFI.
 *
 * @module
 */

/** A half-open range of guest physical addresses, in bytes. */
export interface GpaRange {
  /** First GPA of the range. */
  readonly start: number;
  /** One past the last GPA of the range. */
  readonly end: number;
}

/**
 * A guest's physical memory. Once it is disposed, nothing of it is RAM.
 *
 * GPAs are Numbers (bytes): the architecture's 52 bits fit exactly.
 */
export interface PhysicalMemory extends Disposable {
  /**
   * The name that the user knows it by, for messages: `file:PATH`, `qemu:web1`.
   */
  readonly name: string;
  /** Whether {@linkcode compareExchange} and {@linkcode write} are allowed now. */
  readonly writable: boolean;
  /** Whether a guest may change the bytes while they are read. */
  readonly live: boolean;
  /**
   * Whether the files that hold it are as long as they were; `undefined` when
   * that cannot be told.
   */
  readonly intact?: boolean;
  /** The GPA ranges that are RAM, ascending, not overlapping. */
  readonly ranges: readonly GpaRange[];
  /**
   * The GPA ranges that were RAM of the guest, in the same order, when this
   * source lacks some of them: pages that were left out of a dump. What searches
   * memory has not seen those.
   */
  readonly ram?: readonly GpaRange[] | undefined;

  /**
   * The parts of {@linkcode ranges} that hold data; everything else reads as
   * zeros. Reading a hole of a tmpfs file would allocate it on the host, so
   * scans use this list.
   */
  dataRanges(): GpaRange[];

  /**
   * Copies `into.length` bytes at `gpa`.
   *
   * @throws {MemoryError} when one of the bytes is not RAM or cannot be read.
   */
  read(gpa: number, into: Uint8Array): void;

  /**
   * A live view of the bytes, without a copy, or `undefined` when this source
   * cannot give one (not mapped, or the range spans two backings).
   */
  view(gpa: number, length: number): Uint8Array | undefined;

  /**
   * GPAs at which `needle` starts, ascending; holes are skipped. `limit` ends
   * the search early (default: all of them).
   */
  search(needle: Uint8Array, limit?: number): number[];

  /**
   * Allows writes from now on. Memory is opened read-only; code that changes a
   * guest calls this once there is a plan of what is to be written.
   *
   * @throws {XftraceError} when the memory cannot be written, in one sentence.
   */
  makeWritable(): void;

  /**
   * Writes `bytes` at `gpa`; not atomic.
   *
   * @throws {MemoryError} when the range is not RAM or the source is
   * read-only.
   */
  write(gpa: number, bytes: Uint8Array): void;

  /**
   * Atomically replaces the little-endian word of `width` bytes at `gpa` by
   * `replacement` if it holds `expected`; returns what it held. `gpa` must be
   * aligned to `width`.
   *
   * @throws {MemoryError} like {@linkcode write}, and when `gpa` is not
   * aligned.
   */
  compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint;
}

/** Why memory that has been closed cannot be read. */
export const CLOSED =
  "it has been closed: work on it within the block that opened it";

/** The message when somebody wants to change a recording. */
export function recordingRefusal(name: string): string {
  return `${name} is a recording: it can be read, but there is no guest to steer`;
}
