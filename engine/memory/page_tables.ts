/**
 * A guest's page tables, whatever their format. Each architecture implements
 * its own walk (engine/arch).
 *
 * @module
 */
import type { Budget } from "../base/budget.ts";
import type { GvaRange, MappedRange } from "./gva_ranges.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** Where a GVA lies in physical memory. */
export interface Translation {
  /** GPA of the byte asked for. */
  readonly gpa: number;
  /** Bytes from there to the end of the mapped page. */
  readonly left: number;
  /** Size of that page in bytes: a base page or a larger one. */
  readonly pageSize: number;
}

/** What the kernel's half of the page tables maps. */
export interface Mappings {
  /** What the kernel may execute, ascending. */
  readonly executable: readonly MappedRange[];
  /** Everything mapped in the region that was asked for, ascending. */
  readonly inRegion: readonly MappedRange[];
  /**
   * How many tables could not be read, or are mapped a second time; what these
   * map is not listed.
   */
  readonly unread: number;
}

/**
 * Is told each page that a region maps.
 *
 * @param gva where it begins
 * @param gpa where it lies
 * @param size its bytes
 */
export type EachPage = (gva: bigint, gpa: number, size: number) => void;

/** Another set of page tables, to compare with. */
export interface OtherTables {
  /** GPA of its top-level table. */
  readonly root: number;
  /**
   * A copy of its top-level table that was made earlier; default: it is read.
   */
  readonly top?: Uint8Array;
}

/** A page that two sets of page tables map differently. */
export interface PageDifference {
  /** GVA. */
  readonly gva: bigint;
  /** GPA that it has in these tables. */
  readonly own: number;
  /** GPA that it has in the other ones; equal when only rights differ. */
  readonly other: number;
  /** Whether the other tables let it be executed. */
  readonly executable: boolean;
}

/** How the kernel's halves of two sets of page tables compare. */
export interface HalfComparison {
  /** Pages that lie elsewhere, or may be executed only there; the first few. */
  readonly elsewhere: readonly PageDifference[];
  /** What only these tables map; the first few ranges. */
  readonly missing: readonly GvaRange[];
  /** What only the other ones map; the first few ranges. */
  readonly extra: readonly GvaRange[];
  /** Whether everything was compared: no table was unreadable, or too many. */
  readonly whole: boolean;
}

/** One set of page tables. */
export interface PageTables {
  /** The memory that holds the tables and the pages they map. */
  readonly memory: PhysicalMemory;
  /** GPA of the top-level table. */
  readonly root: number;
  /** The number of levels. */
  readonly levels: number;
  /** Bytes of the smallest page: `PAGE_SIZE` of this kernel. */
  readonly pageSize: number;
  /**
   * Translates a GVA; `undefined` when nothing is mapped there. Called for
   * every read: it allocates nothing but its result.
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
   * Compares the kernel's half with that of other tables. What belongs to one
   * process by design is left out.
   */
  compareKernelHalf(other: OtherTables): HalfComparison;
  /**
   * Walks the kernel's half once. Takes some 10 ms for a small guest, since
   * most of it is mapped by large or non-executable entries.
   *
   * @param budget spends a node for each table and each page; default: one
   * without limits
   * @param each is told each page in the region; default: nobody is
   * @throws {MemoryError} when the top-level table cannot be read.
   * @throws {BudgetError} when the budget is used up.
   */
  mappings(region: GvaRange, budget?: Budget, each?: EachPage): Mappings;
}
