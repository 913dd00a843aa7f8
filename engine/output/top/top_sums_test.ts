import assert from "node:assert/strict";
import type { Reading } from "../../ftrace/ring/reader.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { KIND } from "../../ftrace/ring/columns.ts";
import { type CallEvent, callRows } from "../formats/call_fixture.ts";
import { HtmlWriter } from "../formats/html.ts";
import { readPage } from "../formats/html_fixture.ts";
import { writeBuffers } from "../write_buffers.ts";
import { BARE_GUEST, BARE_META } from "../writer_fixture.ts";
import { TopSums } from "./top_sums.ts";

type Rows = Pick<Reading, "columns" | "arena">;

function take(sums: TopSums, rows: Rows, guest = BARE_GUEST): void {
  writeBuffers({ ...rows, cpus: [] }, guest, sums);
}

for (const name of FIXTURES) {
  Deno.test(`top: the sums of ${name} are those of its page`, () => {
    const fixture = loadFixture(name);
    const rows = decodeFixture(fixture);
    const guest = {
      ...BARE_GUEST,
      meta: { ...BARE_META, layout: fixture.layout },
    };
    const sums = new TopSums();
    take(sums, rows, guest);
    let html = "";
    writeBuffers(
      { ...rows, cpus: [] },
      guest,
      new HtmlWriter((chunk) => html += chunk),
    );
    const { trace } = readPage(html).data;
    assert.ok(trace !== undefined);
    const { functions, names } = trace;
    const top = sums.snapshot();
    assert.equal(top.count, trace.events);
    assert.deepEqual(
      top.functions.map(({ name, calls, total, self, max }) => ({
        name,
        calls,
        total,
        self,
        max,
      })),
      functions.name.map((id, i) => ({
        name: names[id],
        calls: functions.calls[i],
        total: functions.total[i],
        self: functions.self[i],
        max: functions.max[i],
      })),
    );
    const { columns } = rows;
    let others = 0;
    for (let i = 0; i < columns.length; i++) {
      if (columns.kind[i] === KIND.other) others++;
    }
    const counted = top.events.reduce((sum, { calls }) => sum + calls, 0);
    assert.equal(counted, others);
  });
}

/** One call of f1 that calls f2. */
function calls(from: number): CallEvent[] {
  return [
    { ts: from, pid: 7, func: 1, depth: 0 },
    { ts: from + 10, pid: 7, func: 2, depth: 1 },
    { ts: from + 40, pid: 7, func: 2, depth: 1, duration: 30 },
    { ts: from + 100, pid: 7, func: 1, depth: 0, duration: 100 },
  ];
}

Deno.test("top: rates, shares and the longest call of the last interval", () => {
  const sums = new TopSums();
  take(sums, callRows(calls(0)));
  const before = sums.snapshot();
  assert.deepEqual(before.longest, []);
  assert.deepEqual(before.functions.map(({ rate }) => rate), [0, 0]);
  sums.tick(500);
  const first = sums.snapshot();
  const byName = new Map(first.functions.map((row) => [row.name, row]));
  assert.equal(byName.get("f1")?.rate, 2);
  assert.equal(byName.get("f1")?.share, 100 / 5e8);
  assert.equal(byName.get("f1")?.self, 70);
  assert.equal(byName.get("f1")?.p99, 100);
  assert.deepEqual(byName.get("f2")?.longest, [30]);
  assert.deepEqual(first.longest, [100]);
  sums.tick(500);
  const second = sums.snapshot();
  assert.deepEqual(second.functions.map(({ rate, share }) => rate + share), [
    0,
    0,
  ]);
  assert.deepEqual(second.functions.map(({ calls }) => calls), [1, 1]);
  assert.deepEqual(second.longest, [100, 0]);
  // A snapshot stays what it was.
  assert.deepEqual(first.longest, [100]);
  const id = second.functions.find(({ name }) => name === "f1")?.id;
  assert.ok(id !== undefined);
  assert.deepEqual(
    second.graph.calleesOf([id]).map(({ name, total }) => [
      second.nameOf(name),
      total,
    ]),
    [["f2", 30]],
  );
});
