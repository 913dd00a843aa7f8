import assert from "node:assert/strict";
import fc from "fast-check";
import { KIND, PageArena } from "./columns.ts";
import { drainQueues, EventQueue, handOut } from "./event_queue.ts";

/** Adds a row that points into the queue's newest slot. */
function add(
  queue: EventQueue,
  ts: number,
  pid: number,
  kind: number = KIND.other,
): void {
  const { columns } = queue;
  columns.reserve(1);
  columns.ts[columns.length] = ts;
  columns.pid[columns.length] = pid;
  columns.kind[columns.length] = kind;
  columns.length++;
}

function queues(count: number): EventQueue[] {
  const arena = new PageArena(64);
  return Array.from({ length: count }, () => new EventQueue(arena, 0n));
}

function drain(
  all: readonly EventQueue[],
  options: Parameters<typeof drainQueues>[3] = {},
  sums = handOut(),
): number[] {
  const pids: number[] = [];
  const count = drainQueues(
    all,
    (columns, row) => pids.push(columns.pid[row]),
    sums,
    options,
  );
  assert.equal(count, pids.length);
  return pids;
}

Deno.test("hands out in time order, ties by CPU, up to where all queues are complete", () => {
  const [a, b] = queues(2);
  add(a, 10, 1);
  add(b, 10, 2);
  add(b, 15, 3);
  add(a, 20, 4);
  add(a, 31, 5);
  a.complete = 100;
  b.complete = 20;
  assert.deepEqual(drain([a, b]), [1, 2, 3, 4]);
  assert.equal(a.length, 1);
  assert.equal(b.length, 0);
  assert.deepEqual(drain([a, b]), []);
  b.complete = 31;
  assert.deepEqual(drain([a, b]), [5]);
});

Deno.test("hands out everything at the end", () => {
  const [a, b] = queues(2);
  add(a, 10, 1);
  add(b, 5, 2);
  assert.deepEqual(drain([a, b]), []);
  assert.deepEqual(drain([a, b], { all: true }), [2, 1]);
});

Deno.test("a function's entry waits for the event after it", () => {
  for (const kind of [KIND.entry, KIND.entryRetaddr]) {
    const [a, b] = queues(2);
    add(a, 1, 1, kind);
    add(a, 2, 2, kind);
    add(b, 3, 3);
    a.complete = b.complete = 100;
    assert.deepEqual(drain([a, b], { holdEntries: 10 }), [1]);
    // Unless too many events are waiting after it.
    assert.deepEqual(drain([a, b], { holdEntries: 2 }), [2, 3]);
    add(a, 4, 4, kind);
    add(a, 5, 5, KIND.return);
    assert.deepEqual(drain([a, b], { holdEntries: 10 }), [4, 5]);
    add(a, 6, 6, kind);
    assert.deepEqual(drain([a, b], { holdEntries: 10, all: true }), [6]);
  }
});

Deno.test("counts late events and backward clock steps", () => {
  const [a, b] = queues(2);
  const sums = handOut();
  a.complete = b.complete = Infinity;
  add(a, 10, 1);
  drain([a, b], {}, sums);
  add(b, 5, 2);
  drain([a, b], {}, sums);
  assert.deepEqual(sums, { count: 2, late: 1, clockSteps: 0, latest: 10 });
  add(a, 20, 3);
  add(a, 12, 4);
  add(a, 21, 5);
  assert.deepEqual(drain([a, b], {}, sums), [3, 4, 5]);
  assert.deepEqual(sums, { count: 5, late: 1, clockSteps: 1, latest: 21 });
});

Deno.test("pages are released when their last row has been taken", () => {
  const arena = new PageArena(64, 1);
  const queue = new EventQueue(arena, 0n);
  const first = arena.acquire();
  add(queue, 1, 1);
  add(queue, 2, 2);
  queue.hold(first);
  assert.equal(queue.lastSlot, first);
  const second = arena.acquire();
  add(queue, 3, 3);
  queue.hold(second);
  // More of the same page: it stays until that has been taken too.
  add(queue, 4, 4);
  queue.hold(second);
  assert.equal(arena.slotsInUse, 2);
  queue.release(1);
  assert.equal(arena.slotsInUse, 2);
  queue.release(2);
  assert.equal(arena.slotsInUse, 1);
  queue.release(3);
  assert.equal(arena.slotsInUse, 1);
  queue.release(4);
  assert.equal(arena.slotsInUse, 0);
  assert.equal(queue.lastSlot, -1);
  assert.equal(queue.columns.length, 0);
  assert.equal(queue.head, 0);
});

Deno.test("in whatever order events arrive, each is handed out once and in order", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({
        cpu: fc.nat(2),
        step: fc.nat(5),
        drain: fc.boolean(),
      }),
      { maxLength: 100 },
    ),
    (program) => {
      const all = queues(3);
      const sums = handOut();
      const out: number[] = [];
      const times: number[] = [];
      let now = 0;
      for (const { cpu, step, drain: draining } of program) {
        now += step;
        add(all[cpu], now, times.length);
        times.push(now);
        if (!draining) continue;
        for (const queue of all) queue.complete = now;
        out.push(...drain(all, { holdEntries: 5 }, sums));
      }
      out.push(...drain(all, { all: true }, sums));
      assert.equal(sums.late + sums.clockSteps, 0);
      const sorted = times.map((_, i) => i);
      assert.deepEqual(out.toSorted((a, b) => a - b), sorted);
      for (let i = 1; i < out.length; i++) {
        assert.ok(times[out[i]] >= times[out[i - 1]]);
      }
    },
  ));
});
