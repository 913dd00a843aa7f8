/**
 * Guest memory from an ELF core: QEMU's dump-guest-memory,
 * `virsh dump --memory-only`, kdump's /proc/vmcore, and our own snapshots.
 *
 * @module
 */
import { FileMemory } from "./dump/file_memory.ts";
import { parseCoreHeaders } from "./elf_core_format.ts";
import type { LoadSegment, RefuseMachine } from "./elf_core_format.ts";
import { coreParts } from "./elf_core_parts.ts";
import { mergeRanges } from "./elf_core_ranges.ts";
import type { ByteSource } from "./elf_core_source.ts";
import type { GpaRange } from "./physical_memory.ts";
import {
  MANIFEST_NOTE,
  MANIFEST_NOTE_TYPE,
  parseManifest,
} from "./snapshot_manifest.ts";
import type { SnapshotManifest } from "./snapshot_manifest.ts";

/** An ELF core as memory; read-only, not live. */
export class CoreMemory extends FileMemory {
  /** The snapshot's manifest; undefined for other cores. */
  readonly manifest: SnapshotManifest | undefined;
  /** PT_LOAD segments as they stand in the file. */
  readonly segments: readonly LoadSegment[];
  readonly ram: readonly GpaRange[] | undefined;

  /**
   * @param path For messages.
   * @throws {XftraceError} as {@linkcode parseCoreHeaders} and
   * {@linkcode coreParts}, and when the snapshot's manifest has a newer format
   * or is damaged.
   */
  constructor(path: string, source: ByteSource, refuse?: RefuseMachine) {
    const { loads, notes } = parseCoreHeaders(path, source, refuse);
    const manifest = notes.find((note) =>
      note.name === MANIFEST_NOTE && note.type === MANIFEST_NOTE_TYPE
    );
    const parsed = manifest && parseManifest(path, manifest.desc);
    super(
      path,
      "the core",
      source,
      coreParts(path, loads, source.size),
      notes,
    );
    this.segments = loads;
    this.manifest = parsed;
    this.ram = parsed?.content === "needed"
      ? mergeRanges(parsed.ram.map(([start, end]) => ({ start, end })))
      : undefined;
  }

  /** See {@linkcode FileMemory.whyMissing}. */
  protected override whyMissing(gpa: number): string {
    const wasRam = this.manifest?.ram.some(([start, end]) =>
      gpa >= start && gpa < end
    );
    return wasRam
      ? "this page was not saved in the snapshot"
      : super.whyMissing(gpa);
  }
}
