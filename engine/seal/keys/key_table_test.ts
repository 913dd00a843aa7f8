import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { Epochs, SentKeys } from "./key_table.ts";

const keyOf = (n: number) => Int32Array.of(n, -n, 7 * n, n ^ 5);

Deno.test("keys that were sent are those of a map, whatever is taken", () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(200), fc.nat(9), fc.boolean()), {
        maxLength: 500,
      }),
      (steps) => {
        const keys = new SentKeys();
        const model = new Map<number, Int32Array>();
        for (const [epoch, n, remove] of steps) {
          if (remove) {
            keys.remove(epoch);
            model.delete(epoch);
          } else {
            keys.set(epoch, keyOf(n));
            model.set(epoch, keyOf(n));
          }
          assert.equal(keys.size, model.size);
        }
        for (let epoch = 0; epoch <= 200; epoch++) {
          assert.deepEqual(keys.get(epoch), model.get(epoch));
        }
      },
    ),
    { numRuns: times(50) },
  ));

Deno.test("epochs that have begun are found by their entries, also after others were dropped", () => {
  const epochs = new Epochs();
  for (let n = 1; n <= 500; n++) epochs.add(n, 10 * n);
  assert.deepEqual([epochs.length, epochs.firstAt(0)], [0, 10]);
  assert.equal(epochs.of(100), undefined);
  for (let n = 1; n <= 300; n++) epochs.begin(keyOf(n));
  epochs.drop(100);
  assert.equal(epochs.length, 200);
  for (const [entry, epoch] of [[1010, 101], [1019, 101], [2999, 299]]) {
    assert.deepEqual(epochs.of(entry), {
      epoch,
      first: 10 * epoch,
      key: keyOf(epoch),
    });
  }
  assert.equal(epochs.of(1009), undefined);
  assert.equal(epochs.of(9999)?.epoch, 300);
  assert.deepEqual([epochs.firstAt(200), epochs.epochAt(200)], [3010, 301]);
  assert.deepEqual([epochs.firstAt(400), epochs.epochAt(400)], [
    Infinity,
    undefined,
  ]);
  assert.deepEqual([...epochs].map(({ epoch }) => epoch).slice(0, 2), [
    101,
    102,
  ]);
  epochs.wipe();
  assert.deepEqual(epochs.at(0)?.key, new Int32Array(4));
});
