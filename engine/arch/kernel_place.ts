/**
 * Finds an architecture's kernel in physical memory.
 *
 * @module
 */
import type { PageTables } from "../memory/page_tables.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { ImageSymbols } from "./image_map.ts";

/** The values in a vmcoreinfo note. */
export interface NoteValues {
  /** Value of the line `SYMBOL(name)=`: a GVA. */
  symbol(name: string): bigint | undefined;
  /** Value of the line `NUMBER(name)=`: decimal, may be negative. */
  number(name: string): bigint | undefined;
  /** Value of any other line, as text: `PAGESIZE`. */
  value(key: string): string | undefined;
}

/** Where a kernel lies. */
export interface KernelPlace {
  /** Its page tables. They map the image to where {@linkcode physBase} says. */
  readonly tables: PageTables;
  /**
   * The offset between GVAs of the image and their GPAs, in bytes, defined as
   * the architecture's kernels define it. May be negative.
   */
  readonly physBase: number;
}

/** Two ways of finding a kernel. */
export interface KernelFinder {
  /**
   * Finds it through its vmcoreinfo note.
   *
   * @returns `undefined` when the note belongs to another architecture, or does
   * not describe this memory, for example because it is left from an earlier
   * boot.
   */
  byNote(memory: PhysicalMemory, note: NoteValues): KernelPlace | undefined;
  /**
   * Finds it through its image, whose symbols are known.
   *
   * @returns `undefined` when its page tables do not map it, for example early
   * in boot.
   * @throws {KernelError} when a required symbol is missing.
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
   * The functions at the start of `sys_call_table`, in order. Its pointers
   * reveal where an image lies when only the distances between its symbols are
   * known.
   */
  readonly firstSyscalls: readonly string[];
}
