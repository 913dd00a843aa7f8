/**
 * A kernel image's file, as distributions ship it.
 *
 * @module
 */

/** Unpacks one format that needs a tool of the host's. */
export type Unpack = (
  format: "xz" | "lz4" | "bzip2" | "lzma" | "lzop",
  packed: Uint8Array,
) => Uint8Array;

/** What the boot code changes in an image that was moved by KASLR. */
export interface ImageRelocations {
  /**
   * Moves text.
   *
   * @param bytes a copy of the text, which is changed
   * @param linked GVA it is linked for
   * @param slide added to linked GVAs by this boot
   */
  apply(bytes: Uint8Array, linked: bigint, slide: bigint): void;
}

/** The form of an architecture's images. */
export interface KernelFiles {
  /**
   * The ELF image in a file that boot loaders take; `undefined` when it is no
   * such file.
   *
   * @param source what it is called, for messages
   * @throws {XftraceError} when it is damaged, or packed in an unknown way.
   */
  unpack(
    source: string,
    file: Uint8Array,
    unpack: Unpack,
  ): Uint8Array | undefined;
  /**
   * The relocations of an ELF image.
   *
   * @param end offset at which the ELF file proper ends
   */
  relocations(elf: Uint8Array, end: number): ImageRelocations;
}
