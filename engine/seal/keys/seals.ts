/**
 * The seals as computed by guest/seal.h, and how each key follows from the
 * previous one.
 *
 * A key is an `Int32Array(4)`: k0 low, k0 high, k1 low, k1 high. An entry is 16
 * words at an index in an `Int32Array`.
 *
 * @module
 */
import { ENTRY, SEAL } from "../page/abi.ts";
import { sipHash } from "../../base/siphash.ts";

const mac = new Int32Array(2);
const nextKey = new Int32Array(4);
const NOTHING = new Int32Array(0);
const mixed = new Int32Array(6);
const plain = new Int32Array(16);
const SEQUENCE = ENTRY.sequence / 4;

/** Advances a key to that of the next entry (xft_ratchet). */
export function ratchet(key: Int32Array): void {
  sipHash(key, NOTHING, 0, 0, nextKey, 0, true);
  key.set(nextKey);
}

/** Mixes a key from the host into a key (xft_rekey). */
export function rekey(key: Int32Array, host: Int32Array): void {
  mixed.set(host);
  mixed[4] = 3;
  sipHash(key, mixed, 0, 3, nextKey, 0);
  mixed[4] = 4;
  sipHash(key, mixed, 0, 3, nextKey, 2);
  key.set(nextKey);
}

/**
 * Begins an epoch: replaces the previous key by the new one, or mixes it in.
 */
export function takeKey(
  seal: number,
  key: Int32Array,
  host: Int32Array,
): void {
  if (seal === SEAL.ratchet) rekey(key, host);
  else key.set(host);
}

/** Whether the entry at `words[at]` is sealed with `key`. */
export function isSealed(
  seal: number,
  key: Int32Array,
  words: Int32Array,
  at: number,
): boolean {
  if (seal === SEAL.none) return words[at] === 0 && words[at + 1] === 0;
  if (seal === SEAL.xor) {
    openXor(key, words, at, plain);
    let lo = key[0];
    let hi = key[1];
    for (let i = 2; i < 16; i += 2) {
      lo ^= plain[i];
      hi ^= plain[i + 1];
    }
    return words[at] === lo && words[at + 1] === hi;
  }
  sipHash(key, words, at + 2, 7, mac, 0);
  return words[at] === mac[0] && words[at + 1] === mac[1];
}

/** Decrypts the XORed words 1 to 5 of an entry into `into`. */
function openXor(
  key: Int32Array,
  words: Int32Array,
  at: number,
  into: Int32Array,
): void {
  for (let i = 0; i < 16; i++) into[i] = words[at + i];
  for (let word = 1; word <= 5; word++) {
    const half = word & 1 ? 2 : 0;
    into[word * 2] ^= key[half];
    into[word * 2 + 1] ^= key[half + 1];
  }
}

/** Makes an entry readable in place; only the XOR seal encrypts anything. */
export function openEntry(
  seal: number,
  key: Int32Array,
  words: Int32Array,
  at: number,
): void {
  if (seal !== SEAL.xor) return;
  openXor(key, words, at, plain);
  words.set(plain, at);
}

/** The sequence number of the entry at `words[at]`, as a Number. */
export function sequenceAt(words: Int32Array, at: number): number {
  return (words[at + SEQUENCE] >>> 0) +
    (words[at + SEQUENCE + 1] >>> 0) * 0x1_0000_0000;
}
