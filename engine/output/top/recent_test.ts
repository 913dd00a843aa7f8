import assert from "node:assert/strict";
import { INTERVALS, RecentCalls } from "./recent.ts";

Deno.test("calls are counted by interval, and the last two are known", () => {
  const recent = new RecentCalls();
  recent.add(3, 100, 40);
  recent.add(3, 50, 50);
  assert.deepEqual(recent.of(3), { calls: 2, time: 90 });
  recent.add(4, 7, 7);
  assert.deepEqual(recent.of(4), { calls: 1, time: 7 });
  assert.deepEqual(recent.of(3), { interval: 3, calls: 2, time: 90 });
  assert.deepEqual(recent.of(2), { calls: 0, time: 0 });
  assert.deepEqual(recent.of(5), { calls: 0, time: 0 });
});

Deno.test("the longest call of each interval, none where nothing was called", () => {
  const recent = new RecentCalls();
  recent.add(1, 10, 10);
  recent.add(1, 30, 30);
  recent.add(4, 5, 5);
  assert.deepEqual(recent.longest(5), [0, 30, 0, 0, 5, 0]);
  // What is long past is forgotten, also when nothing came in between.
  const later = 4 + 3 * INTERVALS;
  assert.ok(recent.longest(later).every((ns) => ns === 0));
  recent.add(later, 8, 8);
  const last = recent.longest(later);
  assert.equal(last.at(-1), 8);
  assert.deepEqual(new Set(last.slice(0, -1)), new Set([0]));
  assert.ok(last.length < INTERVALS);
});
