/**
 * Seals entries like the guest's module, for tests that forge them.
 *
 * @module
 */
import { sipHash } from "../../base/siphash.ts";
import { SEAL } from "../page/abi.ts";
import { openEntry } from "./seals.ts";

/** Seals the entry at `words[at]` in place. */
export function sealEntry(
  seal: number,
  key: Int32Array,
  words: Int32Array,
  at: number,
): void {
  if (seal === SEAL.none) {
    words[at] = words[at + 1] = 0;
    return;
  }
  if (seal === SEAL.xor) {
    let lo = key[0];
    let hi = key[1];
    for (let i = 2; i < 16; i += 2) {
      lo ^= words[at + i];
      hi ^= words[at + i + 1];
    }
    openEntry(seal, key, words, at);
    words[at] = lo;
    words[at + 1] = hi;
    return;
  }
  sipHash(key, words, at + 2, 7, words, at);
}
