/**
 * Changes of single bytes, without knowledge of any format.
 *
 * @module
 */
import type { Random } from "../random.ts";
import { spliced } from "./fields.ts";
import type { Input } from "./target.ts";

/** The most bytes of an input that grows. */
const MOST_BYTES = 1 << 20;

/** Changes some bytes of one part. */
export function mutateAnyBytes(input: Input, random: Random): void {
  const part = random.next(input.length);
  let bytes = input[part];
  const times = 1 + random.next(8);
  for (let i = 0; i < times; i++) {
    const at = random.next(bytes.length + 1);
    switch (random.next(8)) {
      case 0:
        bytes = spliced(bytes, at, 1 + random.next(16), new Uint8Array(0));
        break;
      case 1: {
        if (bytes.length > MOST_BYTES) break;
        const from = random.next(bytes.length + 1);
        const size = 1 + random.next(64);
        bytes = spliced(bytes, at, 0, bytes.slice(from, from + size));
        break;
      }
      case 2:
        if (random.next(4) === 0) bytes = bytes.slice(0, at);
        break;
      case 3:
        if (at < bytes.length) bytes[at] = random.pick([0, 1, 0x7f, 0x80, 255]);
        break;
      case 4:
      case 5:
        if (at < bytes.length) bytes[at] ^= 1 << random.next(8);
        break;
      default:
        if (at < bytes.length) bytes[at] = random.next(256);
    }
  }
  input[part] = bytes;
}
