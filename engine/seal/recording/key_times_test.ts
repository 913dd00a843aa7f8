import assert from "node:assert/strict";
import { KLOG } from "../keys/klog_format.ts";
import { ENTRY_KIND, ENTRY_WORDS, WORD } from "../page/abi.ts";
import { KeyTimes } from "./key_times.ts";

/** A record of CPU 0. */
function noted(type: number, epoch: number, time: number, first = 0) {
  return { type, cpu: 0, time, a: epoch, b: first, key: new Int32Array(4) };
}

/** Passes entries on, each given by its number, kind and time. */
function visited(
  times: KeyTimes,
  entries: readonly (readonly [sequence: number, kind: number, time: number])[],
) {
  for (const [sequence, kind, time] of entries) {
    const words = new Int32Array(ENTRY_WORDS);
    words[WORD.time] = time;
    words[WORD.shape] = kind << 16;
    times.visit(0, sequence, words, 0);
  }
  return times.bounds();
}

const { entry, return: left, path } = ENTRY_KIND;

Deno.test("an entry is older than the note of its key, the next call younger than the key", () => {
  const times = new KeyTimes([
    noted(KLOG.key, 1, 1000),
    noted(KLOG.ack, 1, 1004, 1),
    noted(KLOG.key, 2, 1010),
    noted(KLOG.ack, 2, 1012, 4),
  ], 1000.5);
  assert.deepEqual(
    visited(times, [
      [1, entry, 100],
      // Its time may have been taken before.
      [2, left, 200],
      [3, entry, 300],
      [4, entry, 400],
      [5, entry, 500],
    ]),
    {
      atMost: [{ from: 100, to: 5e6 }, { from: 400, to: 13e6 }],
      atLeast: [{ from: 300, to: 0 }, { from: 500, to: 10e6 }],
    },
  );
});

Deno.test("what is no time, was lost, or was never taken says nothing", () => {
  const times = new KeyTimes([
    noted(KLOG.key, 1, 1000),
    noted(KLOG.ack, 1, 1004, 1),
    noted(KLOG.key, 2, 1010),
    noted(KLOG.ack, 2, 1012, 3),
    noted(KLOG.key, 3, 1020),
    // Of another key than the one that was sent.
    noted(KLOG.ack, 7, 1022, 5),
  ], 1000);
  assert.deepEqual(
    visited(times, [[1, path, 0x70617468], [4, entry, 400], [5, entry, 500]]),
    { atMost: [], atLeast: [{ from: 400, to: 0 }] },
  );
});

Deno.test("of many keys, some are kept, from the first to the last", () => {
  const count = 20_000;
  const records = Array.from({ length: count }, (_, i) => [
    noted(KLOG.key, i + 1, i),
    noted(KLOG.ack, i + 1, i, i + 1),
  ]).flat();
  const { atMost, atLeast } = visited(
    new KeyTimes(records, 0),
    Array.from({ length: count }, (_, i) => [i + 1, entry, i]),
  );
  for (const bounds of [atMost, atLeast]) {
    assert.ok(bounds.length >= 1000 && bounds.length <= 2048);
    assert.ok(bounds[0].from < 100);
    assert.ok(bounds[bounds.length - 1].from > count - 100);
  }
});
