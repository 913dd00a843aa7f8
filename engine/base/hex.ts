/**
 * Numbers and bytes in hex.
 *
 * @module
 */

/** A number as C writes it: `0x1a`, `-0x1a`. */
export function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Bytes in hex, two digits each: `0a1b`, or `0a 1b` when `gap` is a space. */
export function hexDigits(bytes: ArrayLike<number>, gap = ""): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join(gap);
}
