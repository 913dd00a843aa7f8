/**
 * Guest memory from an ELF core: QEMU's dump-guest-memory,
 * `virsh dump --memory-only`, kdump's /proc/vmcore, and our own snapshots,
 * optionally compressed with zstd or gzip. Needs read permission only, no FFI.
 *
 * @module
 */

import { MemoryError, XftraceError } from "../base/errors.ts";
import { parseCoreHeaders } from "./elf_core_format.ts";
import type { LoadSegment, RefuseMachine } from "./elf_core_format.ts";
import { NT_PRSTATUS } from "./elf_core_notes.ts";
import type { ElfNote } from "./elf_core_notes.ts";
import { type CorePart, coreParts } from "./elf_core_parts.ts";
import { findRange, mergeRanges } from "./elf_core_ranges.ts";
import { searchRanges } from "./elf_core_search.ts";
import { openSource } from "./elf_core_source.ts";
import type { ByteSource, SourceOptions } from "./elf_core_source.ts";
import {
  CLOSED,
  type GpaRange,
  type PhysicalMemory,
  recordingRefusal,
} from "./physical_memory.ts";
import {
  MANIFEST_NOTE,
  MANIFEST_NOTE_TYPE,
  parseManifest,
} from "./snapshot_manifest.ts";
import type { SnapshotManifest } from "./snapshot_manifest.ts";
import { ReadOnlyMemory } from "./write_guard.ts";

/** The parts of a core that has been closed. */
const CLOSED_PARTS: readonly CorePart[] = [{ start: 0, end: 0, offset: -1 }];

/**
 * A core as {@linkcode PhysicalMemory}; read-only, not live.
 */
export class CoreMemory extends ReadOnlyMemory implements PhysicalMemory {
  readonly name: string;
  protected readonly kind = "a core";
  readonly ranges: readonly GpaRange[];
  /** All notes, in file order. */
  readonly notes: readonly ElfNote[];
  /** Text of the VMCOREINFO note, if the core has one. */
  readonly vmcoreinfo: string | undefined;
  /** How many CPUs the core holds registers of. */
  readonly cpuNotes: number;
  /** The snapshot's manifest; undefined for other cores. */
  readonly manifest: SnapshotManifest | undefined;
  /** PT_LOAD segments as they stand in the file. */
  readonly segments: readonly LoadSegment[];
  readonly #source: ByteSource;
  #parts: readonly CorePart[];
  #last = 0;

  /**
   * @param path For messages.
   * @throws {XftraceError} as {@linkcode parseCoreHeaders} and
   * {@linkcode coreParts}, and when the snapshot's manifest has a newer format
   * or is damaged.
   */
  constructor(path: string, source: ByteSource, refuse?: RefuseMachine) {
    super();
    this.name = `core:${path}`;
    this.#source = source;
    const { loads, notes } = parseCoreHeaders(path, source, refuse);
    this.segments = loads;
    this.notes = notes;
    const text = notes.find((note) => note.name === "VMCOREINFO")?.desc;
    this.vmcoreinfo = text && new TextDecoder().decode(text)
      .replace(/\0+$/, "");
    this.cpuNotes =
      notes.filter((note) => note.name === "CORE" && note.type === NT_PRSTATUS)
        .length;
    const manifest = notes.find((note) =>
      note.name === MANIFEST_NOTE && note.type === MANIFEST_NOTE_TYPE
    );
    this.manifest = manifest && parseManifest(path, manifest.desc);
    this.#parts = coreParts(path, loads, source.size);
    this.ranges = mergeRanges(this.#parts);
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

  /** Index of the part that holds `gpa`; the part found last is tried first. */
  #find(gpa: number): number {
    const last = this.#parts[this.#last];
    if (gpa >= last.start && gpa < last.end) return this.#last;
    const index = findRange(this.#parts, gpa);
    if (index >= 0) this.#last = index;
    return index;
  }

  #missing(gpa: number): MemoryError {
    const wasRam = this.manifest?.ram.some(([start, end]) =>
      gpa >= start && gpa < end
    );
    return new MemoryError(
      this.name,
      gpa,
      this.#parts === CLOSED_PARTS
        ? CLOSED
        : wasRam
        ? "this page was not saved in the snapshot"
        : "the core holds no memory there",
    );
  }

  override makeWritable(): never {
    throw new XftraceError(recordingRefusal(this.name));
  }
}

/**
 * Opens the core or snapshot at `path`.
 *
 * `refuse` decides which machines' cores cannot be read.
 *
 * @throws {XftraceError} one clear sentence, see {@linkcode openSource} and
 * {@linkcode CoreMemory}.
 */
export function openCore(
  path: string,
  options?: SourceOptions & { readonly refuse?: RefuseMachine },
): CoreMemory {
  const source = openSource(path, options);
  try {
    return new CoreMemory(path, source, options?.refuse);
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}
