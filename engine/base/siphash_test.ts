import assert from "node:assert/strict";
import { sipHash, sipHashWord } from "./siphash.ts";
import { referenceSipHash } from "./siphash_fixture.ts";

const words = (...values: bigint[]) =>
  new Int32Array(new BigUint64Array(values).buffer);

Deno.test("SipHash-2-4 matches the reference vector", () => {
  // Key 00..0f, message 00..07: vectors[8] of the reference implementation.
  assert.equal(
    sipHashWord(
      0x0706050403020100n,
      0x0706050403020100n,
      0x0f0e0d0c0b0a0908n,
    ),
    0x93f5f5799a932462n,
  );
});

Deno.test("the 128-bit SipHash of empty input matches the reference vector", () => {
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
    assert.equal(sipHashWord(value, k0, k1), referenceSipHash(value, k0, k1));
  }
});
