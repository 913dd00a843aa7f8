/**
 * Where an architecture's kernels lie.
 *
 * @module
 */
import type { GvaRange } from "../memory/gva_ranges.ts";

/** GVAs of a kernel's own symbols. */
export interface ImageSymbols {
  /** The first symbol of that name. */
  tryAddress(name: string): bigint | undefined;
  /**
   * As {@linkcode tryAddress}.
   *
   * @throws {KernelError} when there is none.
   */
  address(name: string): bigint;
}

/** Where kernel images lie, and what they look like from outside. */
export interface ImageMap {
  /** GVAs at which a kernel image may lie, KASLR or not. */
  readonly range: GvaRange;
  /** GVA of `_text` in a kernel that was not moved by KASLR. */
  readonly linkText: bigint;
  /** Where an image may start: a GPA is a multiple of this, in bytes. */
  readonly alignment: number;
  /** No image is longer, in bytes. */
  readonly maxSize: number;
  /**
   * Where modules are loaded, and with them most code that the kernel makes.
   *
   * @param symbols of the kernel it is asked for
   */
  modules(symbols: ImageSymbols): GvaRange;
  /**
   * What is added to a GPA for its GVA in the direct map; `undefined` when the
   * kernel does not tell.
   *
   * @param u64 reads a word of the kernel's
   * @throws {MemoryError} when that cannot be read.
   */
  directMap(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): bigint | undefined;
  /**
   * As {@linkcode directMap}: GVA of the `struct page` of GPA 0 (vmemmap), as
   * if there was one.
   */
  pageStructs(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): bigint | undefined;
  /**
   * Code that starts processors and lies apart from the image; `undefined`:
   * there is none.
   *
   * @param u64 reads a word of the kernel's
   */
  bootCode(
    symbols: ImageSymbols,
    u64: (gva: bigint) => bigint,
  ): GvaRange | undefined;
  /**
   * Whether a function may begin so: more than half of a kernel's do, and
   * other bytes by chance only.
   *
   * @param bytes its first 8
   */
  startsFunction(bytes: Uint8Array): boolean;
}
