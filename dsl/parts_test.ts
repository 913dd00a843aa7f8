/**
 * The language's and the plans' small parts.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { EventColumns } from "../engine/ftrace/ring/columns.ts";
import { TimeMerge } from "../engine/ftrace/ring/merge.ts";
import { expressionText } from "../engine/query/expression.ts";
import { orderRows } from "../engine/passes/order.ts";
import { callerPlace, withCaret } from "../engine/query/place.ts";
import { HistTable } from "../engine/passes/sinks/hist.ts";
import { CountTable } from "../engine/passes/sinks/count.ts";
import { durationText } from "../engine/passes/fields/values.ts";
import { comm, duration, field, not, process } from "./mod.ts";
import { tryDuration, trySize } from "./units.ts";

Deno.test("units: durations and sizes", () => {
  assert.equal(tryDuration("100us"), 100_000);
  assert.equal(tryDuration("1.5 ms"), 1_500_000);
  assert.equal(tryDuration("2h"), 7200e9);
  assert.equal(tryDuration("5"), undefined);
  assert.equal(tryDuration("-5s"), undefined);
  assert.equal(trySize("4KiB"), 4096);
  assert.equal(trySize("1 MB"), 1_000_000);
  assert.equal(trySize("4kb"), undefined);
});

Deno.test("expressions as text", () => {
  const kind = (name: string) => name === "duration" ? "duration" : undefined;
  const text = (c: { node: Parameters<typeof expressionText>[0] }) =>
    expressionText(c.node, kind);
  assert.equal(
    text(duration.gt("1ms").and(comm.glob("ssh*").or(not(comm.eq("a"))))),
    'duration > 1000000 ns and (comm ~ "ssh*" or not comm == "a")',
  );
  assert.equal(text(field("x").has(0x40)), "x has 0x40");
  assert.equal(text(field("x").in(1, 2)), "x in 1, 2");
  assert.equal(
    text(process("ssh*").withChildren()),
    'process "ssh*" with children',
  );
});

Deno.test("places: the script's frame is found, and pointed at", () => {
  const stack = `Error
    at here (file:///lib/dsl/errors.ts:1:2)
    at eval (file:///one-liner, <anonymous>:4:7)
    at file:///script.ts:9:1`;
  const place = callerPlace(stack, ["file:///lib/dsl/"]);
  assert.deepEqual(place, { file: "file:///one-liner", line: 4, column: 7 });
  assert.equal(
    withCaret("no", place, () => "\ttrace().x"),
    "no\n    at file:///one-liner:4:7\n    \ttrace().x\n    \t     ^",
  );
  assert.equal(withCaret("no", undefined, () => "x"), "no");
});

Deno.test("order: as the kernel's readers merge", () => {
  const row = fc.record({
    cpu: fc.integer({ min: 0, max: 3 }),
    ts: fc.integer({ min: 0, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      const columns = new EventColumns(0n);
      columns.reserve(rows.length);
      // Each CPU's rows as in its ring: in the order of time.
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

Deno.test("results: tables and drawings", () => {
  const table = new CountTable(["comm", "cpu"], [
    { key: ["sshd", 1], count: 12 },
    { key: ["sh", 0], count: 3 },
  ]);
  assert.equal(table.toString(), "sshd, 1        12\nsh, 0           3\n");
  assert.equal(table.total, 15);
  assert.equal(table.get("sh", 0), 3);
  assert.equal(table.get("sh", 1), 0);
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
  assert.equal(durationText(999), "999 ns");
  assert.equal(durationText(12345), "12.3 us");
  assert.equal(durationText(4.56e9), "4.56 s");
});
