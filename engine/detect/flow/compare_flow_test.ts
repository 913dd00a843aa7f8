import assert from "node:assert/strict";
import { flowDifferences, sizeDifferences } from "./compare_flow.ts";
import { flow, GOOD, HOOKED } from "./flow_fixture.ts";

Deno.test("equal flows do not differ", () => {
  assert.deepEqual(flowDifferences(flow(100, GOOD), flow(50, GOOD)), []);
  assert.deepEqual(sizeDifferences(flow(100, GOOD), flow(50, GOOD)), []);
});

Deno.test("a hook is a new call, and what it replaces is missing", () => {
  assert.deepEqual(flowDifferences(flow(100, GOOD), flow(50, HOOKED)), [
    { kind: "new", caller: "sys", callee: "evil", calls: 50 },
    { kind: "missing", caller: "sys", callee: "open", calls: 100 },
  ]);
});

Deno.test("a caller with few calls in the baseline says nothing", () => {
  assert.deepEqual(flowDifferences(flow(19, GOOD), flow(50, HOOKED)), []);
});

Deno.test("a new call that occurs once is rare, as expected by chance", () => {
  const now = flow(500, GOOD);
  now.get("open")?.callees.set("slow", { total: 1, within: 1 });
  assert.deepEqual(
    flowDifferences(flow(100, GOOD), now).map(({ kind }) => kind),
    ["rare"],
  );
  // In one call of ten it is no longer chance, unless the baseline's calls had
  // paths of their own as often.
  now.get("open")?.callees.set("slow", { total: 50, within: 50 });
  assert.deepEqual(
    flowDifferences(flow(100, GOOD), now).map(({ kind }) => kind),
    ["new"],
  );
  const varied = flow(100, GOOD);
  for (let i = 0; i < 10; i++) {
    varied.get("open")?.callees.set(`way${i}`, { total: 1, within: 1 });
  }
  assert.deepEqual(
    flowDifferences(varied, now).map(({ kind }) => kind),
    ["rare"],
  );
});

Deno.test("calls of unusual size are found, a few by chance are not", () => {
  const good = flow(500, GOOD, 3);
  const [found] = sizeDifferences(good, flow(20, GOOD, 4));
  assert.equal(found.root, "sys");
  assert.deepEqual(found.range, [3, 3]);
  assert.deepEqual([found.calls, found.outside], [20, 20]);
  const mixed = flow(1000, GOOD, 3);
  mixed.get("sys")?.sizes.set(4, 2);
  assert.deepEqual(sizeDifferences(good, mixed), []);
  assert.deepEqual(sizeDifferences(flow(40, GOOD), flow(20, GOOD, 4)), []);
});
