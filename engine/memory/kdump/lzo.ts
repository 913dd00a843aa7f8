/**
 * Unpacks LZO1X streams, the compression of `makedumpfile -l`, by the description
 * in Linux' Documentation/staging/lzo.rst (bitstream version 0). The packages of
 * npm that read it are native or WebAssembly.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";

/** The distance that ends a stream. */
const END = 16384;

/**
 * The bytes of a stream that unpacks to exactly `size` bytes; `undefined` when it
 * is damaged, ends too early or late, or unpacks to more or fewer.
 *
 * @param most the largest size that makes sense
 */
export function unpackLzo(
  packed: Uint8Array,
  size: number,
  most: number,
): Uint8Array | undefined {
  const out = allocateBytes(size, most, "a page");
  let from = 0;
  let to = 0;
  /** How many literals the last instruction copied: 0 to 3, or 4 for more. */
  let state = 0;

  /** Copies literals; whether they are there and fit. */
  const literals = (count: number): boolean => {
    if (from + count > packed.length || to + count > size) return false;
    for (let i = 0; i < count; i++) out[to++] = packed[from++];
    return true;
  };
  /** A length whose bits in the instruction are all 0. */
  const long = (base: number): number => {
    let length = base;
    while (packed[from] === 0) {
      length += 255;
      from++;
    }
    // Behind the end of the stream, this is no number, and no copy succeeds.
    return length + packed[from++];
  };

  const first = packed[0];
  if (first >= 18) {
    from = 1;
    state = Math.min(first - 17, 4);
    if (!literals(first - 17)) return undefined;
  }
  while (from < packed.length) {
    const code = packed[from++];
    let length: number;
    let distance: number;
    let next: number;
    if (code < 16) {
      if (state === 0) {
        if (!(literals(3 + (code || long(15))))) return undefined;
        state = 4;
        continue;
      }
      const near = state < 4;
      length = near ? 2 : 3;
      distance = (packed[from++] << 2) + (code >> 2) + (near ? 1 : 2049);
      next = code & 3;
    } else if (code < 64) {
      const small = code >= 32;
      const mask = small ? 31 : 7;
      length = 2 + ((code & mask) || long(mask));
      const operand = packed[from] | packed[from + 1] << 8;
      from += 2;
      distance = small
        ? (operand >> 2) + 1
        : END + ((code & 8) << 11) + (operand >> 2);
      next = operand & 3;
      if (distance === END) {
        return from === packed.length && to === size ? out : undefined;
      }
    } else {
      length = code < 128 ? 3 + (code >> 5 & 1) : 5 + (code >> 5 & 3);
      distance = (packed[from++] << 3) + (code >> 2 & 7) + 1;
      next = code & 3;
    }
    if (from > packed.length || distance > to || !(to + length <= size)) {
      return undefined;
    }
    // Byte by byte: the copy may overlap what it makes.
    for (let i = 0; i < length; i++, to++) out[to] = out[to - distance];
    if (!literals(next)) return undefined;
    state = next;
  }
  return undefined;
}
