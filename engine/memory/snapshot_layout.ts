/**
 * The layout of a snapshot file: an ELF core with one PT_LOAD for each run of
 * saved pages, arranged so that readelf, drgn and crash can read it:
 *
 * - p_paddr is the GPA (crash and drgn's physical reads use it);
 * - p_vaddr is the direct-map GVA where it is known (drgn reads it directly,
 *   and walks page tables for the rest);
 * - the page of swapper_pg_dir appears a second time under its own GVA (an
 *   alias): drgn up to 0.0.22 starts its page walk there, without phys_base;
 * - p_align is 0, as in the kernel's own /proc/vmcore: crash recognizes a kdump
 *   by that (netdump.c, is_netdump);
 * - the first program header is the PT_NOTE (crash relies on that).
 *
 * @module
 */

import { allocateBytes } from "../base/allocate.ts";
import { XftraceError } from "../base/errors.ts";
import { ELF, MOST_HEADERS } from "./elf_core_format.ts";
import type { ElfNote } from "./elf_core_notes.ts";
import { encodeNotes, MOST_NOTE_BYTES } from "./elf_core_notes.ts";
import {
  GRANULE,
  intersectRanges,
  mergeRanges,
  wholeGranules,
} from "./elf_core_ranges.ts";
import type { GpaRange, PhysicalMemory } from "./physical_memory.ts";
import {
  encodeManifest,
  MANIFEST_NOTE,
  MANIFEST_NOTE_TYPE,
} from "./snapshot_manifest.ts";
import type { SnapshotManifest } from "./snapshot_manifest.ts";

/** The most bytes before the first page: what a core may have of them. */
const MOST_HEADER = MOST_HEADERS * ELF.programHeaderSize + 2 * MOST_NOTE_BYTES;

/** A second GVA for saved pages, such as the kernel image's own mapping. */
export interface VirtualAlias {
  /** GVA of the first byte. */
  readonly gva: bigint;
  /** GPA of the first byte. */
  readonly gpa: number;
  /** Length in bytes. */
  readonly length: number;
}

/** The content of a snapshot. */
export interface SnapshotContent {
  /** `e_machine` of the guest's architecture. */
  readonly machine: number;
  /** Where the pages are read from. */
  readonly memory: PhysicalMemory;
  /**
   * What to save: extended to whole pages, limited to RAM. Holes are saved as
   * zeros that occupy no space in the file.
   */
  readonly ranges: Iterable<GpaRange>;
  readonly manifest: SnapshotManifest;
  /** Text of the kernel's vmcoreinfo, which drgn and crash need. */
  readonly vmcoreinfo?: string;
  /** Further notes, such as those of the core this snapshot is made from. */
  readonly notes?: readonly ElfNote[];
  /**
   * The GVA to write for a GPA; must be linear within each range. Default: the
   * direct map when `manifest.kernel.pageOffset` is known, else the GPA.
   */
  readonly virtualAddress?: (gpa: number) => bigint;
  /** Further GVAs of saved pages; they add no data to the file. */
  readonly aliases?: readonly VirtualAlias[];
}

/** Where each part of the file will lie. */
export interface SnapshotLayout {
  /** Everything before the first page. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** The pages that follow the header, in this order. */
  readonly data: readonly GpaRange[];
  /** Size of the file in bytes, uncompressed. */
  readonly size: number;
  /** Total number of PT_LOAD segments. */
  readonly segments: number;
}

interface Segment extends GpaRange {
  readonly vaddr: bigint;
  readonly offset: number;
  readonly fileSize: number;
}

/**
 * Computes the layout of a snapshot.
 *
 * @throws {XftraceError} when none of the ranges is RAM.
 */
export function layoutSnapshot(content: SnapshotContent): SnapshotLayout {
  const saved = intersectRanges(
    wholeGranules(content.ranges),
    mergeRanges(content.memory.ranges),
  );
  if (saved.length === 0) {
    throw new XftraceError("nothing to save: none of the pages is guest RAM");
  }
  const data = intersectRanges(
    saved,
    wholeGranules(content.memory.dataRanges()),
  );
  const notes = encodeNotes(notesOf(content));
  const pieces = withZeros(saved, data);
  const aliases = (content.aliases ?? [])
    .flatMap((alias) =>
      intersectRanges(data, [
        { start: alias.gpa, end: alias.gpa + alias.length },
      ]).map((range) => ({
        ...range,
        gva: alias.gva + BigInt(range.start - alias.gpa),
      }))
    );
  const count = 1 + pieces.length + aliases.length;
  const extended = count >= ELF.PN_XNUM;
  const notesAt = ELF.headerSize + count * ELF.programHeaderSize;
  const sectionAt = Math.ceil((notesAt + notes.length) / 8) * 8;
  const dataAt = Math.ceil(
    (sectionAt + (extended ? ELF.sectionHeaderSize : 0)) / GRANULE,
  ) * GRANULE;

  const toVirtual = virtualAddressOf(content);
  const segments: Segment[] = [];
  const offsets: number[] = [];
  let at = dataAt;
  for (const { start, end, fileSize } of pieces) {
    segments.push({
      start,
      end,
      fileSize,
      offset: at,
      vaddr: toVirtual(start),
    });
    offsets.push(at);
    at += fileSize;
  }
  const size = at;
  for (const { start, end, gva } of aliases) {
    const index = lastAtOrBefore(pieces, start);
    segments.push({
      start,
      end,
      fileSize: end - start,
      offset: offsets[index] + start - pieces[index].start,
      vaddr: gva,
    });
  }

  const header = allocateBytes(dataAt, MOST_HEADER, "a snapshot's header");
  const view = new DataView(header.buffer);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ELF.ET_CORE, true);
  view.setUint16(18, content.machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(ELF.headerSize), true);
  view.setUint16(52, ELF.headerSize, true);
  view.setUint16(54, ELF.programHeaderSize, true);
  view.setUint16(56, extended ? ELF.PN_XNUM : count, true);
  if (extended) {
    view.setBigUint64(40, BigInt(sectionAt), true);
    view.setUint16(58, ELF.sectionHeaderSize, true);
    view.setUint16(60, 1, true);
    view.setUint32(sectionAt + 44, count, true);
  }
  let entry: number = ELF.headerSize;
  const programHeader = (
    type: number,
    flags: number,
    segment: Segment,
    align: number,
  ) => {
    view.setUint32(entry, type, true);
    view.setUint32(entry + 4, flags, true);
    view.setBigUint64(entry + 8, BigInt(segment.offset), true);
    view.setBigUint64(entry + 16, BigInt.asUintN(64, segment.vaddr), true);
    view.setBigUint64(entry + 24, BigInt(segment.start), true);
    view.setBigUint64(entry + 32, BigInt(segment.fileSize), true);
    view.setBigUint64(entry + 40, BigInt(segment.end - segment.start), true);
    view.setBigUint64(entry + 48, BigInt(align), true);
    entry += ELF.programHeaderSize;
  };
  // Alignment 4: with 8, libelf would expect the parts of a note to be padded
  // to 8.
  programHeader(ELF.PT_NOTE, 0, {
    start: 0,
    end: notes.length,
    vaddr: 0n,
    offset: notesAt,
    fileSize: notes.length,
  }, 4);
  const readWriteExecute = 7;
  for (const segment of segments) {
    programHeader(ELF.PT_LOAD, readWriteExecute, segment, 0);
  }
  header.set(notes, notesAt);
  return { header, data, size, segments: segments.length };
}

function notesOf(content: SnapshotContent): ElfNote[] {
  const notes: ElfNote[] = [...content.notes ?? []];
  if (content.vmcoreinfo !== undefined) {
    notes.push({
      name: "VMCOREINFO",
      type: 0,
      desc: new TextEncoder().encode(content.vmcoreinfo),
    });
  }
  notes.push({
    name: MANIFEST_NOTE,
    type: MANIFEST_NOTE_TYPE,
    desc: encodeManifest(content.manifest),
  });
  return notes;
}

function virtualAddressOf(content: SnapshotContent): (gpa: number) => bigint {
  if (content.virtualAddress !== undefined) return content.virtualAddress;
  const base = BigInt(content.manifest.kernel?.pageOffset ?? 0);
  return (gpa) => base + BigInt(gpa);
}

/** The saved ranges, split so that each piece is data followed by zeros. */
function withZeros(
  saved: readonly GpaRange[],
  data: readonly GpaRange[],
): (GpaRange & { fileSize: number })[] {
  const pieces: (GpaRange & { fileSize: number })[] = [];
  let i = 0;
  for (const { start, end } of saved) {
    let at = start;
    while (at < end) {
      const next = i < data.length && data[i].start < end ? data[i] : undefined;
      if (next === undefined) {
        pieces.push({ start: at, end, fileSize: 0 });
        break;
      }
      if (at < next.start) {
        pieces.push({ start: at, end: next.start, fileSize: 0 });
      }
      i++;
      const after = i < data.length && data[i].start < end
        ? data[i].start
        : end;
      pieces.push({
        start: next.start,
        end: after,
        fileSize: next.end - next.start,
      });
      at = after;
    }
  }
  return pieces;
}

/** Index of the last range that starts at or before `gpa`. */
function lastAtOrBefore(ranges: readonly GpaRange[], gpa: number): number {
  let low = 0;
  let high = ranges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (ranges[middle].start <= gpa) low = middle;
    else high = middle - 1;
  }
  return low;
}
