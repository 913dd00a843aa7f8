/**
 * Unpacks sections and chunks of a trace.dat, within bounds.
 *
 * @module
 */
import { inflateSync, zstdDecompressSync } from "node:zlib";
import { datError } from "./dat_file.ts";

/** How the sections of a file are packed. */
export type DatPacking = "none" | "zlib" | "zstd";

/**
 * Unpacks bytes whose size after that is known.
 *
 * @param size bytes after unpacking, checked by the caller
 * @param place where they are, for messages
 */
export function unpackSection(
  packing: DatPacking,
  bytes: Uint8Array<ArrayBuffer>,
  size: number,
  place: { readonly path: string; readonly at: number; readonly what: string },
): Uint8Array<ArrayBuffer> {
  const { path, at, what } = place;
  let unpacked: Uint8Array;
  try {
    const options = { maxOutputLength: Math.max(1, size) };
    unpacked = packing === "zlib"
      ? inflateSync(bytes, options)
      : packing === "zstd"
      ? zstdDecompressSync(bytes, options)
      : bytes;
  } catch (error) {
    throw datError(path, at, `${what} cannot be unpacked (${packing})`, error);
  }
  if (unpacked.length !== size) {
    throw datError(
      path,
      at,
      `${what} claims to have ${size} bytes when unpacked, and has ${unpacked.length}`,
    );
  }
  // A chunk is not copied once more: copies are garbage until it is collected.
  const { buffer, byteOffset } = unpacked;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, size)
    : new Uint8Array(unpacked);
}
