import assert from "node:assert/strict";
import fc from "fast-check";
import { EventColumns } from "../ftrace/ring/columns.ts";
import { TimeMerge } from "../ftrace/ring/merge.ts";
import { orderRows } from "./order.ts";

Deno.test("rows are sorted in the order of the kernel's merge", () => {
  const row = fc.record({
    cpu: fc.integer({ min: 0, max: 3 }),
    ts: fc.integer({ min: 0, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      const columns = new EventColumns(0n);
      columns.reserve(rows.length);
      // The rows of each CPU are in time order, as in its ring.
      rows.sort((a, b) => a.cpu - b.cpu || a.ts - b.ts);
      rows.forEach(({ cpu, ts }, i) => {
        columns.cpu[i] = cpu;
        columns.ts[i] = ts;
      });
      columns.length = rows.length;
      const order = Uint32Array.from(rows.keys());
      orderRows(columns, order, order.length);
      assert.deepEqual(order, new TimeMerge(columns).order());
    }),
    { numRuns: 500, seed: 1 },
  );
});
