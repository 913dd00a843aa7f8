/**
 * The memory of a guest whose RAM may change while it runs: memory modules are
 * plugged in, each in a file of its own, and unplugged.
 *
 * @module
 */
import { MemoryError } from "../engine/base/errors.ts";
import { intersectRanges } from "../engine/memory/elf_core_ranges.ts";
import {
  CLOSED,
  type GpaRange,
  type PhysicalMemory,
} from "../engine/memory/physical_memory.ts";
import { guardWrite } from "../engine/memory/write_guard.ts";

/** A run of RAM. */
export interface RamPart extends GpaRange {
  /** Holds its bytes, at the same GPAs. */
  readonly memory: PhysicalMemory;
  /** Identifies what it lies in on the host, for whoever looks after it. */
  readonly backing: string;
}

/**
 * {@linkcode PhysicalMemory} made of parts that come and go. A part that is
 * unplugged stays mapped until the end, since there may be views of it; but it
 * is RAM no more.
 */
export class PluggableMemory implements PhysicalMemory {
  readonly name: string;
  readonly live: boolean;
  #parts: readonly RamPart[] = [];
  #ranges: readonly GpaRange[] = [];
  /** What was unplugged, for messages. */
  #unplugged: readonly RamPart[] = [];
  /** All memories, which are closed at the end. */
  readonly #memories: PhysicalMemory[] = [];
  #closed = false;
  /**
   * Called when something is read that is not RAM: it may add the part that is
   * missing.
   */
  onMissing: () => void = () => {};

  /** @param parts of one memory, which is closed with this one */
  constructor(memory: PhysicalMemory, parts: readonly RamPart[]) {
    this.name = memory.name;
    this.live = memory.live;
    this.add(memory, parts);
  }

  /** The parts that are RAM now, ascending. */
  get parts(): readonly RamPart[] {
    return this.#parts;
  }

  get ranges(): readonly GpaRange[] {
    return this.#ranges;
  }

  get writable(): boolean {
    return this.#memories.every(({ writable }) => writable);
  }

  get intact(): boolean | undefined {
    const all = this.#parts.map(({ memory }) => memory.intact);
    return all.includes(false)
      ? false
      : all.includes(undefined)
      ? undefined
      : true;
  }

  /** Adds parts of a memory, which is closed with this one. */
  add(memory: PhysicalMemory, parts: readonly RamPart[]): void {
    this.#memories.push(memory);
    this.#set([...this.#parts, ...parts]);
  }

  /** Takes parts away: they are no RAM any more. */
  remove(gone: readonly RamPart[]): void {
    if (gone.length === 0) return;
    this.#set(this.#parts.filter((part) => !gone.includes(part)));
    this.#unplugged = [...this.#unplugged, ...gone];
  }

  #set(parts: readonly RamPart[]): void {
    this.#parts = parts.toSorted((a, b) => a.start - b.start);
    this.#ranges = this.#parts.map(({ start, end }) => ({ start, end }));
  }

  #find(gpa: number): RamPart | undefined {
    for (const part of this.#parts) {
      if (gpa >= part.start && gpa < part.end) return part;
    }
    return undefined;
  }

  /** @throws {MemoryError} when nothing is there. */
  #part(gpa: number, length: number): RamPart {
    const part = this.#find(gpa);
    if (part !== undefined) return part;
    if (!this.#closed) this.onMissing();
    const plugged = this.#find(gpa);
    if (plugged !== undefined) return plugged;
    const gone = this.#unplugged
      .some(({ start, end }) => gpa >= start && gpa < end);
    throw new MemoryError(
      this.name,
      gpa,
      this.#closed
        ? CLOSED
        : gone
        ? "the memory there was unplugged"
        : `${length} bytes there are not guest RAM`,
    );
  }

  /** Runs `each` over the pieces of a run of bytes, one for each part. */
  #pieces(
    gpa: number,
    bytes: Uint8Array,
    each: (memory: PhysicalMemory, gpa: number, piece: Uint8Array) => void,
  ): void {
    let done = 0;
    do {
      const { memory, end } = this.#part(gpa + done, bytes.length - done);
      const to = Math.min(bytes.length, end - gpa);
      each(
        memory,
        gpa + done,
        done === 0 && to === bytes.length ? bytes : bytes.subarray(done, to),
      );
      done = to;
    } while (done < bytes.length);
  }

  read(gpa: number, into: Uint8Array): void {
    const part = this.#find(gpa);
    if (part !== undefined && gpa + into.length <= part.end) {
      part.memory.read(gpa, into);
      return;
    }
    this.#pieces(gpa, into, (memory, at, piece) => memory.read(at, piece));
  }

  view(gpa: number, length: number): Uint8Array | undefined {
    const part = this.#find(gpa);
    return part === undefined || gpa + length > part.end
      ? undefined
      : part.memory.view(gpa, length);
  }

  dataRanges(): GpaRange[] {
    const data = [...this.#used()].flatMap((memory) => memory.dataRanges());
    return intersectRanges(
      data.sort((a, b) => a.start - b.start),
      this.#ranges,
    );
  }

  /** The memories that hold a part. */
  #used(): Set<PhysicalMemory> {
    return new Set(this.#parts.map(({ memory }) => memory));
  }

  search(needle: Uint8Array, limit = Infinity): number[] {
    const found: number[] = [];
    for (const memory of this.#used()) {
      if (found.length >= limit) break;
      const all = this.#unplugged.some((part) => part.memory === memory);
      const hits = memory.search(needle, all ? Infinity : limit);
      for (const gpa of hits) {
        if (this.#find(gpa) !== undefined) found.push(gpa);
      }
    }
    return found.sort((a, b) => a - b).slice(0, limit);
  }

  makeWritable(): void {
    for (const memory of this.#memories) memory.makeWritable();
  }

  write(gpa: number, bytes: Uint8Array): void {
    guardWrite(this, gpa);
    this.#pieces(gpa, bytes, (memory, at, piece) => memory.write(at, piece));
  }

  compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    guardWrite(this, gpa, width);
    return this.#part(gpa, width).memory
      .compareExchange(gpa, width, expected, replacement);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#set([]);
    for (const memory of this.#memories) memory[Symbol.dispose]();
  }
}
