/**
 * How an architecture's kernel is found in physical memory.
 *
 * @module
 */
import type { PageTables } from "../memory/page_tables.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { ImageSymbols } from "./image_map.ts";

/** What a vmcoreinfo note says, line by line. */
export interface NoteValues {
  /** Value of a line `SYMBOL(name)=`: a GVA. */
  symbol(name: string): bigint | undefined;
  /** Value of a line `NUMBER(name)=`: decimal, may be negative. */
  number(name: string): bigint | undefined;
  /** Value of a line of another form, as it stands: `PAGESIZE`. */
  value(key: string): string | undefined;
}

/** Where a kernel is. */
export interface KernelPlace {
  /** Its page tables. They map the image where {@linkcode physBase} says. */
  readonly tables: PageTables;
  /**
   * What leads from a GVA of the image to its GPA, in bytes; counted as the
   * architecture's own kernels count it. May be negative.
   */
  readonly physBase: number;
}

/** The two ways to a kernel. */
export interface KernelFinder {
  /**
   * By its vmcoreinfo note.
   *
   * @returns `undefined` when it is another architecture's note, or one that
   * does not describe this memory (any more).
   */
  byNote(memory: PhysicalMemory, note: NoteValues): KernelPlace | undefined;
  /**
   * By its image, whose symbols are known.
   *
   * @returns `undefined` when its page tables do not map it (yet).
   * @throws {KernelError} when a symbol that it takes is missing.
   */
  byImage(
    memory: PhysicalMemory,
    image: {
      /** GVA and GPA of `_text`. */
      readonly textGva: bigint;
      readonly textGpa: number;
      readonly symbols: ImageSymbols;
    },
  ): KernelPlace | undefined;
  /**
   * Functions that `sys_call_table` begins with, in its order: its pointers
   * tell where an image lies whose symbols are known by distance alone.
   */
  readonly firstSyscalls: readonly string[];
}
