/**
 * Kernel image files as distributions ship them.
 *
 * @module
 */

/** Unpacks a format that needs a tool on the host. */
export type Unpack = (
  format: "xz" | "lz4" | "bzip2" | "lzma" | "lzop",
  packed: Uint8Array,
) => Uint8Array;

/** How the boot code relocates an image that KASLR has moved. */
export interface ImageRelocations {
  /**
   * Relocates text.
   *
   * @param bytes a copy of the text; changed in place
   * @param linked GVA for which it was linked
   * @param slide this boot's kaslr offset
   */
  apply(bytes: Uint8Array, linked: bigint, slide: bigint): void;
}

/** The format of an architecture's kernel images. */
export interface KernelFiles {
  /**
   * Extracts the ELF image from the file that a boot loader loads; `undefined`
   * when the file has another format.
   *
   * @param source name of the file, for messages
   * @throws {XftraceError} when the file is damaged, or packed in an unknown
   * way.
   */
  unpack(
    source: string,
    file: Uint8Array,
    unpack: Unpack,
  ): Uint8Array | undefined;
  /**
   * Reads the relocations of an ELF image.
   *
   * @param end offset at which the ELF file proper ends
   */
  relocations(elf: Uint8Array, end: number): ImageRelocations;
}
