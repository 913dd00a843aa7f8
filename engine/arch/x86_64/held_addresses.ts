/**
 * Finds addresses that a text holds as constants.
 *
 * @module
 */
import type { GvaRange } from "../../memory/gva_ranges.ts";

/**
 * Implements `Instructions.heldAddresses`: the image lies in the last 2 GiB, so
 * its instructions hold the lower half of an address, which is extended by its
 * sign.
 */
export function heldAddresses(
  text: Uint8Array,
  { start, end }: GvaRange,
): bigint[] {
  const view = new DataView(text.buffer, text.byteOffset, text.length);
  const found: bigint[] = [];
  for (let at = 0; at + 4 <= text.length; at++) {
    const value = view.getInt32(at, true);
    if (value >= 0) continue;
    const gva = BigInt.asUintN(64, BigInt(value));
    if (gva >= start && gva < end) found.push(gva);
  }
  return found;
}
