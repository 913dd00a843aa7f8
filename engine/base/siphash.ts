/**
 * SipHash-2-4 on 32-bit halves: it verifies the seals of millions of entries,
 * so it uses no bigint, allocates nothing, and keeps all state in local
 * variables.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
 *
 * @module
 */

/**
 * Hashes 64-bit words.
 *
 * @param key k0 low, k0 high, k1 low, k1 high
 * @param message low and high halves of the words
 * @param from index of the first half to hash
 * @param count how many words
 * @param into receives the hash: low half at `into[at]`, high half after it
 * @param wide compute the 128-bit hash: four halves
 */
export function sipHash(
  key: Int32Array,
  message: Int32Array,
  from: number,
  count: number,
  into: Int32Array,
  at: number,
  wide = false,
): void {
  let v0l = key[0] ^ 0x70736575, v0h = key[1] ^ 0x736f6d65;
  let v1l = key[2] ^ 0x6e646f6d, v1h = key[3] ^ 0x646f7261;
  let v2l = key[0] ^ 0x6e657261, v2h = key[1] ^ 0x6c796765;
  let v3l = key[2] ^ 0x79746573, v3h = key[3] ^ 0x74656462;
  if (wide) v1l ^= 0xee;
  // The words, then a block with the length in its top byte, then finalization,
  // and a second finalization for the upper 64 bits.
  const last = wide ? count + 2 : count + 1;
  for (let block = 0; block <= last; block++) {
    let ml = 0;
    let mh = 0;
    let rounds = 2;
    if (block < count) {
      ml = message[from + block * 2] | 0;
      mh = message[from + block * 2 + 1] | 0;
    } else if (block === count) {
      mh = (count * 8) << 24;
    } else {
      if (block > count + 1) v1l ^= 0xdd;
      else v2l ^= wide ? 0xee : 0xff;
      rounds = 4;
    }
    v3l ^= ml;
    v3h ^= mh;
    for (let i = 0; i < rounds; i++) {
      let l = (v0l + v1l) | 0;
      v0h = (v0h + v1h + carry(l, v1l)) | 0;
      v0l = l;
      l = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = l ^ v0l;
      l = v0l;
      v0l = v0h;
      v0h = l;
      l = (v2l + v3l) | 0;
      v2h = (v2h + v3h + carry(l, v3l)) | 0;
      v2l = l;
      l = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = l ^ v2l;
      l = (v0l + v3l) | 0;
      v0h = (v0h + v3h + carry(l, v3l)) | 0;
      v0l = l;
      l = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = l ^ v0l;
      l = (v2l + v1l) | 0;
      v2h = (v2h + v1h + carry(l, v1l)) | 0;
      v2l = l;
      l = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = l ^ v2l;
      l = v2l;
      v2l = v2h;
      v2h = l;
    }
    v0l ^= ml;
    v0h ^= mh;
    if (block > count) {
      const half = at + (block - count - 1) * 2;
      into[half] = v0l ^ v1l ^ v2l ^ v3l;
      into[half + 1] = v0h ^ v1h ^ v2h ^ v3h;
    }
  }
}

const wordKey = new Int32Array(4);
const word = new Int32Array(2);
const wordHash = new Int32Array(2);

/** The hash of one 64-bit word (lib/siphash.c, siphash_1u64). */
export function sipHashWord(value: bigint, k0: bigint, k1: bigint): bigint {
  [wordKey[0], wordKey[1]] = halves(k0);
  [wordKey[2], wordKey[3]] = halves(k1);
  [word[0], word[1]] = halves(value);
  sipHash(wordKey, word, 0, 1, wordHash, 0);
  return (BigInt(wordHash[1] >>> 0) << 32n) | BigInt(wordHash[0] >>> 0);
}

function halves(value: bigint): [lo: number, hi: number] {
  return [Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn)];
}

/** Whether `sum = x + added` overflowed 32 bits. */
function carry(sum: number, added: number): number {
  return (sum >>> 0) < (added >>> 0) ? 1 : 0;
}
