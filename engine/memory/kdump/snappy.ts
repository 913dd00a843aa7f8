/**
 * Unpacks Snappy streams, without frames, by the format's public description
 * (google/snappy, format_description.txt). The packages of npm that read it in
 * JavaScript (snappyjs 0.7.0, hyparquet 1.31.5) take a length of 32 bits as a
 * negative one, and can be led in a circle.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";

/**
 * The bytes of a stream that unpacks to exactly `size` bytes; `undefined` when it
 * is damaged, or unpacks to more or fewer.
 *
 * @param most the largest size that makes sense
 */
export function unpackSnappy(
  packed: Uint8Array,
  size: number,
  most: number,
): Uint8Array | undefined {
  let from = 0;
  /** A little-endian number; not a whole one behind the end of the stream. */
  const number = (bytes: number): number => {
    let value = 0;
    for (let i = 0, unit = 1; i < bytes; i++, unit *= 256) {
      value += packed[from++] * unit;
    }
    return value;
  };
  let claimed = 0;
  for (let unit = 1; from < 5; unit *= 128) {
    const byte = packed[from++];
    claimed += (byte & 127) * unit;
    if (byte < 128) break;
  }
  if (claimed !== size) return undefined;
  const out = allocateBytes(size, most, "a page");
  let to = 0;
  while (from < packed.length) {
    const tag = packed[from++];
    const upper = tag >> 2;
    const kind = tag & 3;
    if (kind === 0) {
      const length = 1 + (upper < 60 ? upper : number(upper - 59));
      if (!(from + length <= packed.length && to + length <= size)) {
        return undefined;
      }
      out.set(packed.subarray(from, from + length), to);
      from += length;
      to += length;
      continue;
    }
    const length = kind === 1 ? 4 + (upper & 7) : 1 + upper;
    const distance = kind === 1
      ? (tag >> 5) * 256 + number(1)
      : number(kind === 2 ? 2 : 4);
    if (!(distance > 0 && distance <= to && to + length <= size)) {
      return undefined;
    }
    // Byte by byte: the copy may overlap what it makes.
    for (let i = 0; i < length; i++, to++) out[to] = out[to - distance];
  }
  return to === size ? out : undefined;
}
