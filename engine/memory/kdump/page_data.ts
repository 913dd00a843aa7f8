/**
 * Unpacks the pages of a compressed kdump. What a page unpacks to is limited to
 * its size, whatever it claims.
 *
 * @module
 */
import { inflateSync, zstdDecompressSync } from "node:zlib";
import { PACKED } from "./header.ts";

/** A page, or what is wrong with it, as the end of a sentence. */
export type Unpacked = Uint8Array | string;

/** The kinds of compression that are read, by the flag of a page. */
const UNPACK: Readonly<
  Record<number, (packed: Uint8Array, maxOutputLength: number) => Uint8Array>
> = {
  [PACKED.zlib]: (packed, maxOutputLength) =>
    inflateSync(packed, { maxOutputLength }),
  [PACKED.zstd]: (packed, maxOutputLength) =>
    zstdDecompressSync(packed, { maxOutputLength }),
};

/** The kinds that are known, but not read, by the flag of a page. */
const REFUSED: Readonly<Record<number, string>> = {
  [PACKED.lzo]: "lzo",
  [PACKED.snappy]: "snappy",
};

/** The name of a kind of compression that is known, but not read. */
export function refusedPacking(flags: number): string | undefined {
  for (const [flag, name] of Object.entries(REFUSED)) {
    if ((flags & Number(flag)) !== 0) return name;
  }
  return undefined;
}

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
): Unpacked {
  if (flags === 0) {
    return packed.length === pageSize
      ? packed
      : `its ${packed.length} bytes are not those of a page`;
  }
  const unpack = UNPACK[flags];
  if (unpack === undefined) {
    const name = REFUSED[flags];
    return name === undefined
      ? `its flags 0x${flags.toString(16)} are unknown`
      : `it is compressed with ${name}, which is not read`;
  }
  try {
    const bytes = unpack(packed, pageSize);
    if (bytes.length === pageSize) return bytes;
  } catch {
    // Damaged, or more than a page: both are said below.
  }
  return `its compressed bytes do not give a page of ${pageSize} bytes`;
}
