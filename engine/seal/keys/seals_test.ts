import assert from "node:assert/strict";
import { SEAL } from "../page/abi.ts";
import { isSealed, openEntry, sequenceAt } from "./seals.ts";
import { sealEntry } from "./seals_fixture.ts";

const words = (...values: bigint[]) =>
  new Int32Array(new BigUint64Array(values).buffer);

Deno.test("a sealed entry can be opened, and a changed bit breaks the seal", () => {
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

Deno.test("two flipped bits pass the XOR seal but no other", () => {
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
    // The same bit in the function's address and in the seal.
    entry[4] ^= 0x10;
    entry[0] ^= 0x10;
    assert.equal(isSealed(seal, key, entry, 0), passes);
  }
});
