/**
 * Guest memory whose bytes stand in a file as they are, in a list of parts: ELF
 * cores, LiME dumps, raw memory with a layout.
 *
 * @module
 */
import { MemoryError, XftraceError } from "../../base/errors.ts";
import type { ElfNote } from "../elf_core_notes.ts";
import type { CorePart } from "../elf_core_parts.ts";
import { findRange, mergeRanges } from "../elf_core_ranges.ts";
import { searchRanges } from "../elf_core_search.ts";
import type { ByteSource } from "../elf_core_source.ts";
import {
  CLOSED,
  type GpaRange,
  type PhysicalMemory,
  recordingRefusal,
} from "../physical_memory.ts";
import { ReadOnlyMemory } from "../write_guard.ts";
import {
  countCpuNotes,
  notedVmcoreinfo,
  type RecordedMemory,
} from "./recorded_memory.ts";

/** The parts of a file that has been closed. */
const CLOSED_PARTS: readonly CorePart[] = [{ start: 0, end: 0, offset: -1 }];

/** Parts of a file as {@linkcode PhysicalMemory}; read-only, not live. */
export class FileMemory extends ReadOnlyMemory
  implements PhysicalMemory, RecordedMemory {
  readonly name: string;
  protected readonly kind: string;
  readonly ranges: readonly GpaRange[];
  readonly notes: readonly ElfNote[];
  readonly vmcoreinfo: string | undefined;
  readonly cpuNotes: number;
  readonly #source: ByteSource;
  #parts: readonly CorePart[];
  #last = 0;

  /**
   * @param path For messages.
   * @param kind The format, for messages: `the core`.
   * @param source is closed together with this.
   * @param parts Ascending, disjoint, and within the file.
   */
  constructor(
    path: string,
    kind: string,
    source: ByteSource,
    parts: readonly CorePart[],
    notes: readonly ElfNote[] = [],
  ) {
    super();
    this.name = `core:${path}`;
    this.kind = kind;
    this.#source = source;
    this.#parts = parts;
    this.ranges = mergeRanges(parts);
    this.notes = notes;
    this.vmcoreinfo = notedVmcoreinfo(notes);
    this.cpuNotes = countCpuNotes(notes);
  }

  dataRanges(): GpaRange[] {
    return mergeRanges(this.#parts.filter((part) => part.offset >= 0));
  }

  read(gpa: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const part = this.#parts[this.#find(gpa + done)];
      if (part === undefined) throw this.#missing(gpa + done);
      const length = Math.min(into.length - done, part.end - gpa - done);
      const piece = length === into.length
        ? into
        : into.subarray(done, done + length);
      if (part.offset < 0) piece.fill(0);
      else this.#source.readAt(part.offset + gpa + done - part.start, piece);
      done += length;
    }
  }

  view(gpa: number, length: number): Uint8Array | undefined {
    const part = this.#parts[this.#find(gpa)];
    if (part === undefined || gpa + length > part.end || part.offset < 0) {
      return undefined;
    }
    const at = part.offset + gpa - part.start;
    return this.#source.bytes?.subarray(at, at + length);
  }

  search(needle: Uint8Array, limit?: number): number[] {
    return searchRanges(
      this.dataRanges(),
      (gpa, into) => this.read(gpa, into),
      needle,
      limit,
    );
  }

  [Symbol.dispose](): void {
    this.#parts = CLOSED_PARTS;
    this.#last = 0;
    this.#source[Symbol.dispose]();
  }

  /** Why there is nothing at a GPA, as the end of a sentence. */
  protected whyMissing(_gpa: number): string {
    return `${this.kind} holds no memory there`;
  }

  /** Index of the part that holds `gpa`; the part found last is tried first. */
  #find(gpa: number): number {
    const last = this.#parts[this.#last];
    if (gpa >= last.start && gpa < last.end) return this.#last;
    const index = findRange(this.#parts, gpa);
    if (index >= 0) this.#last = index;
    return index;
  }

  #missing(gpa: number): MemoryError {
    return new MemoryError(
      this.name,
      gpa,
      this.#parts === CLOSED_PARTS ? CLOSED : this.whyMissing(gpa),
    );
  }

  override makeWritable(): never {
    throw new XftraceError(recordingRefusal(this.name));
  }
}
