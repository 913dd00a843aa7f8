import assert from "node:assert/strict";
import { COUNT, CountTable } from "./count.ts";
import { said, working } from "./sink_fixture.ts";

const CALLS = [
  { pid: 7, cpu: 1 },
  { pid: 1, cpu: 0 },
  { pid: 7, cpu: 0 },
  { pid: 9, cpu: 1 },
];

Deno.test("count: its description for plans and the compiler", () => {
  assert.deepEqual(said(COUNT, { kind: "count", by: [] }), ["count()", ""]);
  assert.deepEqual(said(COUNT, { kind: "count", by: ["comm", "cpu"] }), [
    "count(comm, cpu)",
    "comm any, cpu any",
  ]);
});

Deno.test("count: without fields, by one field, and by several", () => {
  const all = working(COUNT, { kind: "count", by: [] });
  all.take(CALLS);
  all.take(CALLS);
  assert.equal(all.sink.result().total, 8);
  assert.equal(all.sink.text(), "8\n");

  const comm = working(COUNT, { kind: "count", by: ["comm"] });
  comm.take(CALLS);
  assert.deepEqual(
    comm.sink.result().rows.map(({ key, count }) => [...key, count]),
    // A thread without a name is counted under the empty name.
    [["sshd", 2], ["", 1], ["init", 1]],
  );

  const both = working(COUNT, { kind: "count", by: ["cpu", "pid"] });
  both.take(CALLS);
  both.take(CALLS.slice(0, 1));
  assert.equal(both.sink.result().get(1, 7), 2);
  assert.deepEqual(both.sink.result().top(1).rows, [
    { key: [1, 7], count: 2 },
  ]);
});

Deno.test("count: a new window starts from zero", () => {
  const count = working(COUNT, { kind: "count", by: ["pid"] });
  count.take(CALLS);
  count.sink.clear();
  assert.equal(count.sink.text(), "no events\n");
  assert.deepEqual(JSON.parse(JSON.stringify(count.sink.result())), []);
});

Deno.test("count: the result as a table", () => {
  const table = new CountTable(["comm", "cpu"], [
    { key: ["sshd", 1], count: 12 },
    { key: ["sh", 0], count: 3 },
  ]);
  assert.equal(table.toString(), "sshd, 1        12\nsh, 0           3\n");
  assert.equal(table.total, 15);
  assert.equal(table.get("sh", 0), 3);
  assert.equal(table.get("sh", 1), 0);
});

Deno.test("count: a thread's name adds no line to the table, and is a key as it is", () => {
  const count = working(COUNT, { kind: "count", by: ["comm"] });
  count.take([{ pid: 66 }, { pid: 1 }]);
  assert.equal(
    count.sink.text(),
    "a;b\\x0a\\x1b[31m         1\ninit                    1\n",
  );
  assert.equal(count.sink.result().get("a;b\n\x1b[31m"), 1);
});

Deno.test("count: a group for each event does not take ever more memory", () => {
  const { sink, take } = working(COUNT, { kind: "count", by: ["cpu", "pid"] });
  take([{ pid: 0 }]);
  assert.equal(sink.leftOut, undefined);
  take(Array.from({ length: 300_000 }, (_, pid) => ({ pid })));
  assert.equal(sink.result().rows.length, 1 << 18);
  assert.equal(sink.result().get(0, 0), 2);
  assert.match(sink.leftOut ?? "", /^37856 events are left out/);
});
