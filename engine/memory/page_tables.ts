/**
 * What a guest's page tables say, whatever their form is. Each architecture
 * walks its own (engine/arch).
 *
 * @module
 */
import type { GvaRange, MappedRange } from "./gva_ranges.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** Where a GVA lies in physical memory. */
export interface Translation {
  /** GPA of the byte asked for. */
  readonly gpa: number;
  /** Bytes from there to the end of the page that maps it. */
  readonly left: number;
  /** Size of that page, in bytes: a base page's, or a larger one's. */
  readonly pageSize: number;
}

/** What the kernel's half of the page tables maps. */
export interface Mappings {
  /** What the kernel may execute, ascending. */
  readonly executable: readonly MappedRange[];
  /** All that is mapped in the region that was asked for, ascending. */
  readonly inRegion: readonly MappedRange[];
  /** How many tables could not be read: what they map is not listed. */
  readonly unread: number;
}

/** One set of page tables. */
export interface PageTables {
  /** What they lie in, and what they map. */
  readonly memory: PhysicalMemory;
  /** GPA of the top-level table. */
  readonly root: number;
  /** How many levels a walk goes down at most. */
  readonly levels: number;
  /** Bytes of the smallest page: `PAGE_SIZE` of this kernel. */
  readonly pageSize: number;
  /**
   * Translates a GVA; `undefined` when nothing is mapped there. Called for
   * every read: it allocates its answer and nothing else.
   *
   * @throws {MemoryError} when a page table lies outside the guest's RAM.
   */
  tryTranslate(gva: bigint): Translation | undefined;
  /**
   * The tables of a process.
   *
   * @param root GPA of its top-level table (`mm->pgd`)
   */
  ofProcess(root: number): PageTables;
  /**
   * Walks the kernel's half once: some 10 ms for a small guest, as most of it
   * is mapped by large or non-executable entries.
   *
   * @throws {MemoryError} when the top-level table cannot be read.
   */
  mappings(region: GvaRange): Mappings;
}
