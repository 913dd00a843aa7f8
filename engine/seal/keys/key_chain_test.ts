import assert from "node:assert/strict";
import { SEAL } from "../page/abi.ts";
import { KeyChain } from "./key_chain.ts";
import { ratchet, takeKey } from "./seals.ts";

const SEALS = [SEAL.xor, SEAL.siphash, SEAL.ratchet];

const hostKey = (epoch: number) => Int32Array.of(epoch, 77 * epoch, 13, -epoch);

/** The keys of a CPU's first entries, computed one after the other. */
function keysOf(
  seal: number,
  taken: readonly (readonly [epoch: number, first: number])[],
  count: number,
): Int32Array[] {
  const key = new Int32Array(4);
  const keys: Int32Array[] = [key.slice()];
  for (let sequence = 1; sequence <= count; sequence++) {
    if (sequence > 1 && seal === SEAL.ratchet) ratchet(key);
    for (const [epoch, first] of taken) {
      if (first === sequence) takeKey(seal, key, hostKey(epoch));
    }
    keys.push(key.slice());
  }
  return keys;
}

function chainOf(
  seal: number,
  taken: readonly (readonly [epoch: number, first: number])[],
): KeyChain {
  const chain = new KeyChain(seal);
  for (const [epoch, first] of taken) {
    chain.send(epoch, hostKey(epoch));
    chain.take(epoch, first);
  }
  return chain;
}

// A guest that claims to have taken two keys for one entry is taken at its word;
// its entries then tell.
const TAKEN = [[1, 1], [2, 20], [3, 20], [5, 41]] as const;

for (const seal of SEALS) {
  Deno.test(`seal ${seal}: the key of every entry, whether or not others were stepped over`, () => {
    const keys = keysOf(seal, TAKEN, 60);
    for (const step of [1, 7, 60]) {
      const chain = chainOf(seal, TAKEN);
      for (let sequence = step; sequence <= 60; sequence += step) {
        chain.advance(sequence);
        assert.deepEqual(chain.key, keys[sequence], `entry ${sequence}`);
      }
    }
  });

  Deno.test(`seal ${seal}: keys of past entries, in any order`, () => {
    const keys = keysOf(seal, TAKEN, 60);
    const chain = chainOf(seal, TAKEN);
    chain.advance(60);
    for (const sequence of [60, 1, 19, 20, 21, 40, 41, 5, 6, 59]) {
      const found = chain.keyAt(sequence);
      assert.deepEqual(found?.key, keys[sequence], `entry ${sequence}`);
    }
    assert.deepEqual(
      [1, 19, 20, 40, 41].map((at) => chain.keyAt(at)?.epoch),
      [1, 1, 3, 3, 5],
    );
    assert.equal(chain.keyAt(61), undefined);
    // The search did not change the chain.
    assert.deepEqual(chain.key, keys[60]);
  });

  Deno.test(`seal ${seal}: the key of a future entry, without moving`, () => {
    const keys = keysOf(seal, TAKEN, 60);
    const chain = chainOf(seal, TAKEN);
    chain.advance(5);
    assert.deepEqual(chain.ahead(50)?.key, keys[50]);
    assert.equal(chain.ahead(50)?.epoch, 5);
    assert.deepEqual([chain.at, chain.epoch, chain.key], [5, 1, keys[5]]);
    assert.equal(chain.ahead(1e9), undefined);
  });
}

Deno.test("before the first key, there is neither an epoch nor a key", () => {
  const chain = new KeyChain(SEAL.ratchet);
  assert.deepEqual([chain.epoch, chain.nextEpochAt], [0, Infinity]);
  chain.send(1, hostKey(1));
  chain.take(1, 10);
  assert.equal(chain.nextEpochAt, 10);
  chain.advance(9);
  assert.deepEqual([chain.epoch, chain.keyAt(5)], [0, undefined]);
  chain.advance(10);
  assert.deepEqual([chain.epoch, chain.nextEpochAt], [1, Infinity]);
  assert.equal(chain.keyAt(9), undefined);
});

Deno.test("a key is a copy, and a key that was not sent is unknown", () => {
  const chain = new KeyChain(SEAL.siphash);
  const key = hostKey(1);
  chain.send(1, key);
  key.fill(0);
  assert.deepEqual(chain.sent(1), hostKey(1));
  assert.equal(chain.sent(2), undefined);
  assert.equal(chain.early(2), undefined);
});

Deno.test("the key of an entry, had it been the first of the next epoch", () => {
  const chain = chainOf(SEAL.ratchet, [[1, 1]]);
  chain.send(2, hostKey(2));
  chain.advance(8);
  const early = chain.early(2);
  assert.deepEqual(early, keysOf(SEAL.ratchet, [[1, 1], [2, 8]], 8)[8]);
  assert.deepEqual([chain.epoch, chain.at], [1, 8]);
});

Deno.test("a search that would take too long is given up", () => {
  const chain = chainOf(SEAL.ratchet, [[1, 1]]);
  chain.advance(1);
  const [epoch] = chain.epochs;
  assert.equal(chain.continued(epoch, 1_000_000), undefined);
  assert.deepEqual(
    chain.continued(epoch, 3)?.key,
    keysOf(SEAL.ratchet, [[1, 1]], 3)[3],
  );
});

Deno.test("a chain that keeps only the last keys grows no further, and computes the same", () => {
  const taken = Array.from(
    { length: 5000 },
    (_, i) => [i + 1, 3 * i + 1] as const,
  );
  const all = chainOf(SEAL.ratchet, taken);
  const chain = new KeyChain(SEAL.ratchet, undefined, 16);
  for (const [epoch, first] of taken) {
    const host = hostKey(epoch);
    chain.send(epoch, host);
    chain.take(epoch, first);
    chain.advance(first + 1);
    all.advance(first + 1);
    assert.deepEqual(chain.key, all.key);
    assert.equal(chain.epoch, epoch);
    assert.equal(chain.nextEpochAt, Infinity);
    assert.equal(chain.sent(epoch), undefined, "a key that is in use is kept");
    assert.ok(chain.epochs.length < 32);
  }
  const at = chain.at;
  assert.deepEqual(chain.keyAt(at - 30)?.key, all.keyAt(at - 30)?.key);
  assert.notEqual(all.keyAt(at - 3000), undefined);
  assert.equal(chain.keyAt(at - 3000), undefined);
});
