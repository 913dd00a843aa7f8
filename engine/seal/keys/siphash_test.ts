import assert from "node:assert/strict";
import { siphash1u64 } from "../../output/text/siphash.ts";
import { SEAL } from "../page/abi.ts";
import { isSealed, openEntry, sealEntry, sequenceAt } from "./seals.ts";
import { sipHash } from "./siphash.ts";

const words = (...values: bigint[]) =>
  new Int32Array(new BigUint64Array(values).buffer);

function hash(value: bigint, k0: bigint, k1: bigint): bigint {
  const into = new Int32Array(2);
  sipHash(words(k0, k1), words(value), 0, 1, into, 0);
  return (BigInt(into[1] >>> 0) << 32n) | BigInt(into[0] >>> 0);
}

Deno.test("SipHash-2-4 gives the reference vector", () => {
  // Key 00..0f, message 00..07: vectors[8] of the reference implementation.
  assert.equal(
    hash(0x0706050403020100n, 0x0706050403020100n, 0x0f0e0d0c0b0a0908n),
    0x93f5f5799a932462n,
  );
});

Deno.test("the 128-bit SipHash of nothing gives the reference vector", () => {
  const key = words(0x0706050403020100n, 0x0f0e0d0c0b0a0908n);
  const into = new Int32Array(4);
  sipHash(key, new Int32Array(0), 0, 0, into, 0, true);
  assert.deepEqual(into, words(0xe6a825ba047f81a3n, 0x930255c71472f66dn));
});

Deno.test("SipHash on halves agrees with SipHash on bigints", () => {
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
    assert.equal(hash(value, k0, k1), siphash1u64(value, k0, k1));
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
