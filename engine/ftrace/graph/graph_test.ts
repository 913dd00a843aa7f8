import assert from "node:assert/strict";
import { EventColumns, KIND } from "../ring/columns.ts";
import { GraphState, isLeaf, pairCalls } from "./graph.ts";

interface Row {
  readonly kind: number;
  readonly func?: number;
  readonly depth?: number;
  readonly pid?: number;
  readonly cpu?: number;
}

const enter = (func: number, depth: number, rest: Partial<Row> = {}): Row => ({
  kind: KIND.entry,
  func,
  depth,
  ...rest,
});
const leave = (func: number, depth: number, rest: Partial<Row> = {}): Row => ({
  ...enter(func, depth, rest),
  kind: KIND.return,
});
const other: Row = { kind: KIND.other };

function columnsOf(rows: readonly Row[]): EventColumns {
  const columns = new EventColumns(0n);
  columns.reserve(rows.length);
  for (const { kind, func = 0, depth = 0, pid = 1, cpu = 0 } of rows) {
    const row = columns.length++;
    columns.kind[row] = kind;
    columns.func[2 * row] = func;
    columns.func[2 * row + 1] = 0xffffffff;
    columns.depth[row] = depth;
    columns.pid[row] = pid;
    columns.cpu[row] = cpu;
  }
  return columns;
}

function pair(rows: readonly Row[]) {
  const columns = columnsOf(rows);
  const { partner, parent } = pairCalls(
    columns,
    Uint32Array.from(rows, (_, i) => i),
  );
  return { partner: [...partner], parent: [...parent] };
}

Deno.test("a leaf is an entry directly followed by its return", () => {
  const columns = columnsOf([
    enter(10, 0),
    leave(10, 0),
    leave(10, 0, { pid: 2 }),
    leave(11, 0),
    enter(10, 0),
  ]);
  assert.equal(isLeaf(columns, 0, 1), true);
  assert.equal(isLeaf(columns, 0, 2), false);
  assert.equal(isLeaf(columns, 0, 3), false);
  assert.equal(isLeaf(columns, 0, 4), false);
});

Deno.test("calls nest", () => {
  const { partner, parent } = pair([
    enter(1, 0),
    enter(2, 1),
    other,
    leave(2, 1),
    leave(1, 0),
    enter(3, 0),
    leave(3, 0),
  ]);
  assert.deepEqual(partner, [4, 3, -1, 1, 0, 6, 5]);
  assert.deepEqual(parent, [-1, 0, 1, 0, -1, -1, -1]);
});

Deno.test("tasks are kept apart, and may move between CPUs", () => {
  const { partner } = pair([
    enter(1, 0, { pid: 5, cpu: 0 }),
    enter(1, 0, { pid: 6, cpu: 0 }),
    leave(1, 0, { pid: 5, cpu: 1 }),
    leave(1, 0, { pid: 6, cpu: 0 }),
    // There is one idle task per CPU, all with pid 0.
    enter(9, 0, { pid: 0, cpu: 0 }),
    enter(9, 0, { pid: 0, cpu: 1 }),
    leave(9, 0, { pid: 0, cpu: 0 }),
    leave(9, 0, { pid: 0, cpu: 1 }),
  ]);
  assert.deepEqual(partner, [2, 3, 0, 1, 6, 7, 4, 5]);
});

Deno.test("with lost entries and returns the rest stays paired", () => {
  const { partner, parent } = pair([
    leave(8, 1), // its entry was overwritten
    enter(1, 0),
    enter(2, 1), // its return was lost
    enter(3, 1),
    leave(3, 1),
    leave(4, 1), // leave(4, 1), // from another function than the one entered
    leave(1, 0),
  ]);
  assert.deepEqual(partner, [-1, 6, -1, 4, 3, -1, 1]);
  assert.deepEqual(parent, [-1, -1, 1, 1, 1, 1, -1]);
});

Deno.test("the state remembers 50 levels, as the kernel does", () => {
  const state = new GraphState();
  assert.equal(state.switchTo(2, 7), -1);
  assert.equal(state.switchTo(2, 8), 7);
  assert.equal(state.switchTo(2, 8), 8);
  state.enter(2, 3, 10, 1);
  assert.equal(state.depthAt(2), 3);
  assert.equal(state.leave(2, 3, 10, 1), true);
  assert.equal(state.depthAt(2), 2);
  assert.equal(state.leave(2, 3, 10, 1), false);
  assert.equal(state.leave(2, 50, 10, 1), true);
  assert.equal(state.leave(2, -1, 10, 1), true);
});

Deno.test("an interrupt hides the calls in it until its own depth returns", () => {
  const state = new GraphState();
  assert.equal(state.hidesEntry(0, 4, false), false);
  assert.equal(state.hidesReturn(0, 4), false);
  assert.equal(state.hidesEntry(0, 4, true), true);
  assert.equal(state.hidesEntry(0, 5, false), true);
  assert.equal(state.hidesReturn(0, 5), true);
  assert.equal(state.hidesReturn(0, 4), true);
  assert.equal(state.hidesReturn(0, 3), false);
});
