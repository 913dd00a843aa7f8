/**
 * Where an architecture's kernels lie in virtual memory.
 *
 * @module
 */
import type { GvaRange } from "../memory/gva_ranges.ts";

/** GVAs of the kernel's symbols. */
export interface ImageSymbols {
  /** The first symbol of that name. */
  tryAddress(name: string): bigint | undefined;
  /**
   * Like {@linkcode tryAddress}.
   *
   * @throws {KernelError} when there is no such symbol.
   */
  address(name: string): bigint;
}

/** Where kernel images lie, and how they can be recognized. */
export interface ImageMap {
  /** GVAs at which a kernel image may lie, with or without KASLR. */
  readonly range: GvaRange;
  /** GVA of `_text` in a kernel that KASLR has not moved. */
  readonly linkText: bigint;
  /** Alignment of an image's start GPA, in bytes. */
  readonly alignment: number;
  /** Upper limit of an image's size, in bytes. */
  readonly maxSize: number;
  /**
   * GPA of a GVA of the image, which lies in one piece in physical memory.
   *
   * @param physBase see {@linkcode KernelPlace.physBase}
   */
  physical(gva: bigint, physBase: number): number;
  /**
   * The region into which modules are loaded, together with most code that the
   * kernel generates.
   *
   * @param symbols those of the kernel in question
   */
  modules(symbols: ImageSymbols): GvaRange;
  /**
   * The difference between a GPA and its GVA in the direct map; `undefined`
   * when the kernel does not state it.
   *
   * @param u64 reads a word of kernel memory
   * @throws {MemoryError} when that cannot be read.
   */
  directMap(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): bigint | undefined;
  /**
   * Like {@linkcode directMap}, for `struct page`: the GVA of the one for GPA 0
   * (vmemmap), whether or not it exists.
   */
  pageStructs(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): bigint | undefined;
  /** Where a task that does not run keeps its stack pointer (task_struct). */
  readonly stackPointer: string;
  /** What a switch of tasks saves at that place. */
  readonly savedFrame: {
    /** The struct and the member that says where the task goes on. */
    readonly returns: readonly [struct: string, member: string];
    /** The functions in which that is. */
    readonly into: readonly string[];
  };
  /**
   * The region in which memory is mapped page by page (vmalloc): stacks, large
   * buffers; `undefined` when the kernel does not state it.
   *
   * @param u64 reads a word of kernel memory
   */
  vmalloc(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): GvaRange | undefined;
  /**
   * Code that starts secondary processors and lies outside the image;
   * `undefined` when there is none.
   *
   * @param u64 reads a word of kernel memory
   */
  bootCode(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): GvaRange | undefined;
  /**
   * Whether a function may begin with these bytes. More than half of a kernel's
   * functions do; other bytes match only by chance.
   *
   * @param bytes the function's first 8 bytes
   */
  startsFunction(bytes: Uint8Array): boolean;
}
