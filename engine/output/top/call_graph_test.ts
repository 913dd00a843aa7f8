import assert from "node:assert/strict";
import { CallGraph } from "./call_graph.ts";

/** read > lock, read > copy > lock; write > read > lock; read > read. */
const TREE = {
  parent: [-1, 0, 0, 2, -2, 4, 5, 0],
  name: [10, 11, 12, 11, 13, 10, 11, 10],
  calls: [5, 4, 3, 2, 1, 1, 1, 2],
  total: [500, 40, 300, 20, 900, 800, 10, 50],
  self: [110, 40, 280, 20, 100, 790, 10, 50],
};

Deno.test("callees are summed up over all stacks of a function", () => {
  const graph = new CallGraph(TREE);
  const byName = (path: number[]) =>
    graph.calleesOf(path).sort((a, b) => a.name - b.name);
  assert.deepEqual(byName([10]), [
    { name: 10, calls: 2, total: 50, self: 50 },
    { name: 11, calls: 5, total: 50, self: 50 },
    { name: 12, calls: 3, total: 300, self: 280 },
  ]);
  assert.deepEqual(byName([10, 12]), [
    { name: 11, calls: 2, total: 20, self: 20 },
  ]);
  assert.deepEqual(byName([13, 10]), [
    { name: 11, calls: 1, total: 10, self: 10 },
  ]);
  assert.deepEqual(byName([11]), []);
  assert.deepEqual(byName([10, 99]), []);
  assert.deepEqual(byName([99]), []);
});
