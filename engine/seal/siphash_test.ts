import assert from "node:assert/strict";
import { siphash1u64 } from "../ftrace/text/siphash.ts";
import { SEAL } from "./abi.ts";
import { isSealed, openEntry, sealEntry, sequenceAt } from "./seals.ts";
import { SipHash } from "./siphash.ts";

const words = (...values: bigint[]) =>
  new Int32Array(new BigUint64Array(values).buffer);

Deno.test("SipHash-2-4 gives the reference vector", () => {
  // Key 00..0f, message 00..07 (the reference implementation's vectors[8]).
  const sip = new SipHash();
  sip.start(words(0x0706050403020100n, 0x0f0e0d0c0b0a0908n));
  const [lo, hi] = words(0x0706050403020100n);
  sip.word(lo, hi);
  sip.end(8);
  const got = BigInt.asUintN(
    64,
    (BigInt(sip.hi >>> 0) << 32n) | BigInt(sip.lo >>> 0),
  );
  assert.equal(got, 0x93f5f5799a932462n);
});

Deno.test("SipHash on halves agrees with SipHash on bigints", () => {
  const sip = new SipHash();
  let seed = 1n;
  const next = () => {
    seed = BigInt.asUintN(
      64,
      seed * 6364136223846793005n + 1442695040888963407n,
    );
    return seed ^ (seed >> 29n);
  };
  for (let i = 0; i < 500; i++) {
    const [k0, k1, value] = [next(), next(), next()];
    sip.start(words(k0, k1));
    const [lo, hi] = words(value);
    sip.word(lo, hi);
    sip.end(8);
    const got = (BigInt(sip.hi >>> 0) << 32n) | BigInt(sip.lo >>> 0);
    assert.equal(got, siphash1u64(value, k0, k1));
  }
});

Deno.test("a sealed entry opens, and a changed bit breaks the seal", () => {
  const key = words(0x1122334455667788n, 0x99aabbccddeeff00n);
  const body = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n];
  for (const seal of [SEAL.xor, SEAL.siphash, SEAL.ratchet]) {
    const entry = words(...body);
    sealEntry(seal, key, entry, 0);
    assert.equal(sequenceAt(entry, 0), 7);
    assert.ok(isSealed(seal, key, entry, 0));
    for (let bit = 0; bit < 512; bit++) {
      entry[bit >> 5] ^= 1 << (bit & 31);
      assert.ok(!isSealed(seal, key, entry, 0), `seal ${seal}, bit ${bit}`);
      entry[bit >> 5] ^= 1 << (bit & 31);
    }
    openEntry(seal, key, entry, 0);
    assert.deepEqual([...entry].slice(2), [...words(...body)].slice(2));
  }
});

Deno.test("two flipped bits pass the XOR seal and no other", () => {
  const key = words(0x1122334455667788n, 0x99aabbccddeeff00n);
  for (
    const [seal, passes] of [
      [SEAL.xor, true],
      [SEAL.siphash, false],
      [SEAL.ratchet, false],
    ] as const
  ) {
    const entry = words(0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n);
    sealEntry(seal, key, entry, 0);
    // The same bit of the function's address and of the seal.
    entry[4] ^= 0x10;
    entry[0] ^= 0x10;
    assert.equal(isSealed(seal, key, entry, 0), passes);
  }
});
