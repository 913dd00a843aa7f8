import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { EpochCounts } from "./epoch_counts.ts";
import {
  addCounts,
  noCounts,
  type VerdictCounts,
  VERDICTS,
} from "./verdicts.ts";

const step = fc.record({
  epoch: fc.nat(40),
  verdict: fc.constantFrom(...VERDICTS),
  count: fc.nat(1000),
  forget: fc.nat(5).map((n) => n === 0),
}, { noNullPrototype: true });

Deno.test("counts are those of a map of objects, whatever is added and removed", () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const counts = new EpochCounts();
      const model = new Map<number, VerdictCounts>();
      const before = noCounts();
      const beforeOfModel = noCounts();
      for (const { epoch, verdict, count, forget } of steps) {
        counts.add(counts.row(epoch), verdict, count);
        const of = model.get(epoch) ?? noCounts();
        of[verdict] += count;
        model.set(epoch, of);
        if (!forget) continue;
        counts.removeOldest(before);
        const [oldest] = model;
        addCounts(beforeOfModel, oldest[1]);
        model.delete(oldest[0]);
      }
      assert.deepEqual([...counts], [...model]);
      assert.deepEqual([...counts.keys()], [...model.keys()]);
      assert.deepEqual([...counts.values()], [...model.values()]);
      assert.deepEqual(before, beforeOfModel);
      assert.equal(counts.size, model.size);
      counts.forEach((of, epoch) => assert.deepEqual(of, model.get(epoch)));
      assert.deepEqual(counts.get(3), model.get(3));
      assert.equal(counts.has(3), model.has(3));
    }),
    { numRuns: times(50) },
  ));
