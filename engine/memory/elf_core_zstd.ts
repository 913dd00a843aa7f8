/**
 * Where zstd frames begin and end (RFC 8878, section 3.1). The decompressor of
 * node:zlib stops quietly at the end of its input and after the first frame
 * (observed in Deno 2.9), so a truncated file would look whole; walking the
 * block headers finds this out beforehand.
 *
 * @module
 */

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** The result of walking over the frames of a zstd file. */
export interface ZstdFrames {
  /** Start and end offset of each data frame, in bytes. */
  readonly frames: readonly { readonly start: number; readonly end: number }[];
  /**
   * What is wrong: the file ends within a frame (`cut short`), or has bytes
   * that are not a frame (`damaged`).
   */
  readonly fault?: "cut short" | "damaged";
}

/** Whether the bytes begin with the zstd magic number. */
export function isZstd(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && u32(bytes, 0) === FRAME_MAGIC;
}

/** Finds all frames of a zstd file. */
export function zstdFrames(bytes: Uint8Array): ZstdFrames {
  const frames: { start: number; end: number }[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return { frames, fault: "cut short" };
    const magic = u32(bytes, at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      if (at + 8 > bytes.length) return { frames, fault: "cut short" };
      at += 8 + u32(bytes, at + 4);
      if (at > bytes.length) return { frames, fault: "cut short" };
      continue;
    }
    if (magic !== FRAME_MAGIC) return { frames, fault: "damaged" };
    const end = frameEnd(bytes, at);
    if (typeof end === "string") return { frames, fault: end };
    frames.push({ start: at, end });
    at = end;
  }
  return frames.length > 0 ? { frames } : { frames, fault: "cut short" };
}

function frameEnd(
  bytes: Uint8Array,
  start: number,
): number | "cut short" | "damaged" {
  if (start + 5 > bytes.length) return "cut short";
  const descriptor = bytes[start + 4];
  const singleSegment = (descriptor >> 5) & 1;
  const contentSizeFlag = descriptor >> 6;
  const contentSizeBytes = contentSizeFlag === 0
    ? singleSegment
    : 1 << contentSizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
  const checksumBytes = (descriptor >> 2) & 1 ? 4 : 0;
  let at = start + 5 + (singleSegment ? 0 : 1) + dictionaryBytes +
    contentSizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return "cut short";
    const header = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16;
    const type = (header >> 1) & 3;
    if (type === 3) return "damaged";
    // A run-length block stores one byte, whatever its size says.
    at += 3 + (type === 1 ? 1 : header >> 3);
    if (header & 1) break;
  }
  at += checksumBytes;
  return at > bytes.length ? "cut short" : at;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
    bytes[at + 3] << 24) >>> 0;
}
