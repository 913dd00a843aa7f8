/**
 * Byte search without FFI, for memory that is not mapped.
 *
 * @module
 */

import type { GpaRange } from "./physical_memory.ts";
import { mergeRanges } from "./elf_core_ranges.ts";

/** Bytes searched at a time. */
const CHUNK = 1 << 20;

/**
 * Position of a byte in the needle that is likely to be rare in kernel memory,
 * so that the JavaScript engine's own byte scan rejects most places. Zeros are
 * everywhere.
 */
function anchorOf(needle: Uint8Array): number {
  let best = 0;
  let bestScore = -1;
  for (let i = 0; i < needle.length; i++) {
    const byte = needle[i];
    const score = byte === 0 ? 0 : byte === 0xff || byte < 8 ? 1 : 2;
    if (score > bestScore) {
      best = i;
      bestScore = score;
    }
  }
  return best;
}

/**
 * First index, at or after `from`, at which `needle` starts in `hay`, or -1.
 */
export function indexOfBytes(
  hay: Uint8Array,
  needle: Uint8Array,
  from = 0,
): number {
  if (needle.length === 0) return from <= hay.length ? from : -1;
  const anchor = anchorOf(needle);
  const byte = needle[anchor];
  const last = hay.length - needle.length;
  let at = hay.indexOf(byte, from + anchor);
  while (at >= 0 && at - anchor <= last) {
    const start = at - anchor;
    let i = 0;
    while (i < needle.length && hay[start + i] === needle[i]) i++;
    if (i === needle.length) return start;
    at = hay.indexOf(byte, at + 1);
  }
  return -1;
}

/**
 * GPAs within `ranges` at which `needle` starts, ascending, at most `limit` of
 * them. A match may span two adjacent ranges. `read` fills its buffer with the
 * bytes at a GPA.
 */
export function searchRanges(
  ranges: Iterable<GpaRange>,
  read: (gpa: number, into: Uint8Array) => void,
  needle: Uint8Array,
  limit: number = Infinity,
): number[] {
  const hits: number[] = [];
  if (needle.length === 0 || limit <= 0) return hits;
  const overlap = needle.length - 1;
  const buffer = new Uint8Array(CHUNK + needle.length - 1);
  for (const { start, end } of mergeRanges(ranges)) {
    for (let gpa = start; gpa < end; gpa += CHUNK) {
      const length = Math.min(CHUNK + overlap, end - gpa);
      const part = buffer.subarray(0, length);
      read(gpa, part);
      for (
        let at = indexOfBytes(part, needle);
        at >= 0 && at < CHUNK;
        at = indexOfBytes(part, needle, at + 1)
      ) {
        hits.push(gpa + at);
        if (hits.length >= limit) return hits;
      }
    }
  }
  return hits;
}
