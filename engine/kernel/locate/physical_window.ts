/**
 * A copy of a range of physical memory, read by GPA; for scans that look at
 * many small items around one place.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import type { GpaRange, PhysicalMemory } from "../../memory/physical_memory.ts";

/** More bytes than are searched around one place. */
const MOST_BYTES = 32 << 20;

/**
 * The bytes of `[start, end)` as far as they are RAM. Holes read as zeros and
 * are not touched, since reading a hole would allocate it on the host.
 */
export class PhysicalWindow {
  /** First GPA of the window. */
  readonly start: number;
  /** One past the last GPA of the window. */
  readonly end: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /**
   * @param data The memory's `dataRanges()`, obtained once by the caller, since
   * listing them is not free.
   * @throws {MemoryError} when the data cannot be read.
   */
  constructor(
    mem: PhysicalMemory,
    data: readonly GpaRange[],
    start: number,
    end: number,
  ) {
    this.start = Math.max(0, Math.floor(start / 8) * 8);
    this.end = Math.max(this.start, end);
    this.#bytes = allocateBytes(
      this.end - this.start,
      MOST_BYTES,
      "a window of memory",
    );
    this.#view = new DataView(this.#bytes.buffer);
    for (const range of data) {
      const from = Math.max(range.start, this.start);
      const to = Math.min(range.end, this.end);
      if (from >= to) continue;
      mem.read(
        from,
        this.#bytes.subarray(from - this.start, to - this.start),
      );
    }
  }

  /** The byte at a GPA; 0 outside the window. */
  u8(gpa: number): number {
    return this.#bytes[gpa - this.start] ?? 0;
  }

  /** Little-endian u16 at a GPA; 0 outside the window. */
  u16(gpa: number): number {
    return this.#inside(gpa, 2)
      ? this.#view.getUint16(gpa - this.start, true)
      : 0;
  }

  /** Little-endian u32 at a GPA; 0 outside the window. */
  u32(gpa: number): number {
    return this.#inside(gpa, 4)
      ? this.#view.getUint32(gpa - this.start, true)
      : 0;
  }

  /** Little-endian u64 at a GPA; 0 outside the window. */
  u64(gpa: number): bigint {
    return this.#inside(gpa, 8)
      ? this.#view.getBigUint64(gpa - this.start, true)
      : 0n;
  }

  /** A copy of `length` bytes at a GPA, zeros outside the window. */
  bytes(gpa: number, length: number): Uint8Array<ArrayBuffer> {
    const copy = allocateBytes(length, MOST_BYTES, "a table in memory");
    const from = Math.max(gpa, this.start);
    const to = Math.min(gpa + length, this.end);
    if (from < to) {
      copy.set(
        this.#bytes.subarray(from - this.start, to - this.start),
        from - gpa,
      );
    }
    return copy;
  }

  #inside(gpa: number, width: number): boolean {
    return gpa >= this.start && gpa + width <= this.end;
  }
}
