import assert from "node:assert/strict";
import { HIST, HistTable } from "./hist.ts";
import { said, working } from "./sink_fixture.ts";

const ns = (...durations: number[]) =>
  durations.map((duration) => ({ duration }));

Deno.test("hist: its description for plans and the compiler", () => {
  assert.deepEqual(
    said(HIST, { kind: "hist", field: "duration", by: ["comm"] }),
    ["hist(duration, comm)", "comm any, duration number"],
  );
  const linear = { from: 0, to: 100, step: 10 };
  assert.deepEqual(
    said(HIST, { kind: "hist", field: "duration", by: [], linear }),
    ["hist(duration, 0 to 100 by 10)", "duration number"],
  );
});

Deno.test("hist: powers of two, from the first bucket that is not empty to the last", () => {
  const hist = working(HIST, { kind: "hist", field: "duration", by: [] });
  hist.take(ns(0, 1, 3, 4, 2 ** 40, NaN));
  const [row] = hist.sink.result().rows;
  const filled = row.buckets.filter(({ count }) => count > 0);
  assert.deepEqual(filled, [
    { low: 0, high: 1, count: 1 },
    { low: 1, high: 2, count: 1 },
    { low: 2, high: 4, count: 1 },
    { low: 4, high: 8, count: 1 },
    { low: 2 ** 40, high: 2 ** 41, count: 1 },
  ]);
  assert.match(hist.sink.text(), /^duration \(ns\)\n\[0\] /);
});

Deno.test("hist: buckets of equal width, and values outside them", () => {
  const hist = working(HIST, {
    kind: "hist",
    field: "duration",
    by: ["cpu"],
    linear: { from: 10, to: 30, step: 10 },
  });
  hist.take([{ duration: 5, cpu: 0 }, { duration: 30, cpu: 1 }]);
  hist.take([{ duration: 19, cpu: 0 }]);
  const table = hist.sink.result();
  assert.deepEqual(table.get(0)?.buckets, [
    { low: -Infinity, high: 10, count: 1 },
    { low: 10, high: 20, count: 1 },
  ]);
  assert.deepEqual(table.get(1)?.buckets, [
    { low: 30, high: Infinity, count: 1 },
  ]);
});

Deno.test("hist: impossible buckets are refused", () => {
  const problem = (from: number, to: number, step: number) =>
    HIST.problem?.({
      kind: "hist",
      field: "duration",
      by: [],
      linear: { from, to, step },
    });
  assert.equal(problem(0, 10, 1), undefined);
  assert.equal(problem(0, 10_000, 1), undefined);
  for (
    const [from, to, step] of [
      [0, 10, 0],
      [0, 10, -1],
      [10, 10, 1],
      [0, 10_001, 1],
      [0, NaN, 1],
      [0, Infinity, Infinity],
    ]
  ) {
    assert.match(
      problem(from, to, step) ?? "",
      /are impossible: step must be above 0, to must be above from, and there may be at most 10000 buckets$/,
    );
  }
});

Deno.test("hist: the result as a drawing", () => {
  const hist = new HistTable(
    "duration",
    [],
    [{
      key: [],
      buckets: [
        { low: 1, high: 2, count: 1 },
        { low: 2, high: 4, count: 0 },
        { low: 1024, high: 2048, count: 4 },
      ],
    }],
    "ns",
    false,
  );
  assert.equal(
    hist.toString(),
    `duration (ns)
[1]                    1 |@@@@@@@@@@@@@                                       |
[2, 4)                 0 |                                                    |
[1K, 2K)               4 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
`,
  );
});

Deno.test("hist, lhist: a group for each event does not take ever more memory", () => {
  // 10,000 buckets take 80 kB a group: some 3,300 groups are kept.
  const linear = { from: 0, to: 10_000, step: 1 };
  const wide = working(HIST, {
    kind: "hist",
    field: "duration",
    by: ["pid"],
    linear,
  });
  const calls = Array.from(
    { length: 4000 },
    (_, pid) => ({ pid, duration: 5 }),
  );
  wide.take(calls);
  const { rows } = wide.sink.result();
  assert.ok(rows.length > 3000 && rows.length < 4000);
  assert.equal(
    wide.sink.leftOut,
    `${
      4000 - rows.length
    } events are left out: they belong to more than ${rows.length} groups`,
  );
  // Events of groups that are kept still count.
  wide.take(calls.slice(0, 1));
  assert.equal(wide.sink.result().get(0)?.buckets[0].count, 2);
});
