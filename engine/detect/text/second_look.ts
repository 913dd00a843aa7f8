/**
 * Looks a second time at text that a check has read.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";

/** What an instruction depends on, on both sides of it, bytes. */
const AROUND = 16;

/**
 * Whether what was read is as it was around a place.
 *
 * @param at offset in the text
 */
export function isAsRead(
  kernel: Kernel,
  text: ImageBytes,
  at: number,
): boolean {
  const from = Math.max(0, at - AROUND);
  const read = text.bytes.subarray(from, at + AROUND);
  return isStill(kernel, text.start + BigInt(from), read);
}

/**
 * Whether bytes are there at a second look. Reading all text takes a while, in
 * which a busy guest sets and removes probes; what is not there any more is
 * brief. A recording is always as it was read.
 *
 * @param gva of the first of them
 */
export function isStill(
  { memory, space }: Kernel,
  gva: bigint,
  read: Uint8Array,
): boolean {
  if (!memory.live) return true;
  try {
    const now = space.bytes(gva, read.length);
    return read.every((byte, i) => byte === now[i]);
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}
