/**
 * Unpacks the pages of a compressed kdump. What a page unpacks to is limited to
 * its size, whatever it claims.
 *
 * @module
 */
import { inflateSync, zstdDecompressSync } from "node:zlib";
import { MOST_BLOCK, PACKED } from "./header.ts";
import { unpackLzo } from "./lzo.ts";
import { unpackSnappy } from "./snappy.ts";

/** A page, or what is wrong with it, as the end of a sentence. */
export type UnpackedPage = Uint8Array | string;

/** The kinds of compression, by the flag of a page. */
const UNPACK: Readonly<
  Record<number, (packed: Uint8Array, size: number) => Uint8Array | undefined>
> = {
  [PACKED.zlib]: (packed, maxOutputLength) =>
    inflateSync(packed, { maxOutputLength }),
  [PACKED.zstd]: (packed, maxOutputLength) =>
    zstdDecompressSync(packed, { maxOutputLength }),
  [PACKED.lzo]: (packed, size) => unpackLzo(packed, size, MOST_BLOCK),
  [PACKED.snappy]: (packed, size) => unpackSnappy(packed, size, MOST_BLOCK),
};

/** Bytes that a page may have in the file: what cannot be compressed grows. */
export function mostPacked(pageSize: number): number {
  return 2 * pageSize;
}

/**
 * The bytes of a page.
 *
 * @param flags of the page's descriptor
 */
export function unpackPage(
  packed: Uint8Array,
  flags: number,
  pageSize: number,
): UnpackedPage {
  if (flags === 0) {
    return packed.length === pageSize
      ? packed
      : `its ${packed.length} bytes are not those of a page`;
  }
  const unpack = UNPACK[flags];
  if (unpack === undefined) {
    return `its flags 0x${flags.toString(16)} are unknown`;
  }
  try {
    const bytes = unpack(packed, pageSize);
    if (bytes?.length === pageSize) return bytes;
  } catch {
    // Damaged, or more than a page: both are said below.
  }
  return `its compressed bytes do not give a page of ${pageSize} bytes`;
}
