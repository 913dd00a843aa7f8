/**
 * SipHash-2-4 on 32-bit halves: the seals of millions of entries are computed
 * with it, so no bigint and no allocation.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
 *
 * @module
 */

/** A running hash; keep one and use it again. */
export class SipHash {
  #v = new Int32Array(8);
  /** Low and high half of the last result. */
  lo = 0;
  hi = 0;

  /** Starts a hash with a key of four words (k0 low, k0 high, k1 low, ...). */
  start(key: Int32Array): void {
    const v = this.#v;
    v[0] = key[0] ^ 0x70736575;
    v[1] = key[1] ^ 0x736f6d65;
    v[2] = key[2] ^ 0x6e646f6d;
    v[3] = key[3] ^ 0x646f7261;
    v[4] = key[0] ^ 0x6e657261;
    v[5] = key[1] ^ 0x6c796765;
    v[6] = key[2] ^ 0x79746573;
    v[7] = key[3] ^ 0x74656462;
  }

  /** Takes one 64-bit word in. */
  word(lo: number, hi: number): void {
    const v = this.#v;
    v[6] ^= lo;
    v[7] ^= hi;
    rounds(v, 2);
    v[0] ^= lo;
    v[1] ^= hi;
  }

  /** Ends a hash over `bytes` bytes, a multiple of 8; see {@linkcode lo}. */
  end(bytes: number): void {
    const v = this.#v;
    this.word(0, bytes << 24);
    v[4] ^= 0xff;
    rounds(v, 4);
    this.lo = v[0] ^ v[2] ^ v[4] ^ v[6];
    this.hi = v[1] ^ v[3] ^ v[5] ^ v[7];
  }
}

function rounds(v: Int32Array, count: number): void {
  let v0l = v[0] | 0, v0h = v[1] | 0, v1l = v[2] | 0, v1h = v[3] | 0;
  let v2l = v[4] | 0, v2h = v[5] | 0, v3l = v[6] | 0, v3h = v[7] | 0;
  for (let i = 0; i < count; i++) {
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
  v[0] = v0l;
  v[1] = v0h;
  v[2] = v1l;
  v[3] = v1h;
  v[4] = v2l;
  v[5] = v2h;
  v[6] = v3l;
  v[7] = v3h;
}

/** Whether `sum = x + added` overflowed 32 bits. */
function carry(sum: number, added: number): number {
  return (sum >>> 0) < (added >>> 0) ? 1 : 0;
}
