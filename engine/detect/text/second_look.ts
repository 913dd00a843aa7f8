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
 * Whether text is at a place as it was read. Reading all of it takes a while, in
 * which a busy guest sets and removes probes; what is not there any more is
 * brief. A recording is always as it was read.
 *
 * @param at offset in the text
 */
export function isAsRead(
  { memory, space }: Kernel,
  text: ImageBytes,
  at: number,
): boolean {
  if (!memory.live) return true;
  const from = Math.max(0, at - AROUND);
  const read = text.bytes.subarray(from, at + AROUND);
  try {
    const now = space.bytes(text.start + BigInt(from), read.length);
    return read.every((byte, i) => byte === now[i]);
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}
