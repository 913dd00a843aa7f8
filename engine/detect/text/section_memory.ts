/**
 * The sections of a kernel image file as physical memory, so that the same code
 * finds things in a file and in a guest.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import { searchRanges } from "../../memory/elf_core_search.ts";
import {
  type GpaRange,
  type PhysicalMemory,
  recordingRefusal,
} from "../../memory/physical_memory.ts";
import type { Section } from "./vmlinux.ts";

/** Sections at this distance from each other or more are not of one image. */
const SPAN = 1n << 32n;

/**
 * Sections at the GPAs at which an image would lie whose first section is at
 * GPA 0. Read-only.
 */
export class SectionMemory implements PhysicalMemory {
  readonly name: string;
  readonly writable = false;
  readonly live = false;
  readonly ranges: readonly GpaRange[];
  readonly #pieces: readonly { start: number; bytes: Uint8Array }[];

  constructor(name: string, sections: readonly Section[]) {
    this.name = name;
    const loaded = sections
      .filter(({ address, bytes }) => address !== 0n && bytes.length > 0)
      .sort((a, b) => a.address < b.address ? -1 : 1);
    // The per-CPU section of older kernels is linked at 0 and what follows it.
    const first = loaded.find(({ name }) => name === ".text")?.address ?? 0n;
    let end = 0;
    const pieces: { start: number; bytes: Uint8Array }[] = [];
    for (const { address, bytes } of loaded) {
      const from = address - first;
      if (from < 0n || from >= SPAN || Number(from) < end) continue;
      pieces.push({ start: Number(from), bytes });
      end = Number(from) + bytes.length;
    }
    this.#pieces = pieces;
    this.ranges = pieces.map(({ start, bytes }) => ({
      start,
      end: start + bytes.length,
    }));
  }

  dataRanges(): GpaRange[] {
    return [...this.ranges];
  }

  read(gpa: number, into: Uint8Array): void {
    const end = gpa + into.length;
    let at = gpa;
    for (const { start, bytes } of this.#pieces) {
      if (at >= end || start > at) break;
      const stop = Math.min(end, start + bytes.length);
      if (stop <= at) continue;
      into.set(bytes.subarray(at - start, stop - start), at - gpa);
      at = stop;
    }
    if (at < end) throw new MemoryError(this.name, at, "no section holds it");
  }

  view(): undefined {
    return undefined;
  }

  search(needle: Uint8Array, limit?: number): number[] {
    const read = (gpa: number, into: Uint8Array) => this.read(gpa, into);
    return searchRanges(this.ranges, read, needle, limit);
  }

  makeWritable(): never {
    throw new MemoryError(this.name, 0, recordingRefusal(this.name));
  }
  write(gpa: number): never {
    throw new MemoryError(this.name, gpa, recordingRefusal(this.name));
  }
  compareExchange(gpa: number): never {
    throw new MemoryError(this.name, gpa, recordingRefusal(this.name));
  }
  [Symbol.dispose](): void {}
}
