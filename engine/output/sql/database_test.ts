/** Traces as tables: compared with lines of JSON, and with the calls' own rows. */
import assert from "node:assert/strict";
import type { Reading } from "../../ftrace/ring/reader.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { callRows, expectedStacks } from "../formats/call_fixture.ts";
import { JSONL } from "../formats/jsonl.ts";
import { writeBuffers } from "../write_buffers.ts";
import { BARE_GUEST } from "../writer_fixture.ts";
import { type SqlValue, TraceDatabase } from "./database.ts";
import { namedIn } from "./tables.ts";

type Rows = Omit<Reading, "problems" | "part">;
type Described = Parameters<typeof writeBuffers>[1];

/** The rows that a statement gives for a trace. */
function asked(
  sql: string,
  rows: Omit<Rows, "cpus">,
  source: Described,
  mostBytes?: number,
): (readonly SqlValue[])[] {
  using database = new TraceDatabase(sql, mostBytes);
  writeBuffers({ ...rows, cpus: [] }, source, database.writer());
  return [...database.result().rows()];
}

for (const name of FIXTURES) {
  Deno.test(`${name}: each event is a row, with what its line of JSON has`, () => {
    const fixture = loadFixture(name);
    const decoded = decodeFixture(fixture);
    let text = "";
    writeBuffers(
      { ...decoded, cpus: [] },
      fixture,
      JSONL.writer((chunk) => text += chunk),
    );
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    const rows = asked("SELECT * FROM events", decoded, fixture);
    assert.equal(rows.length, decoded.columns.length);
    assert.deepEqual(
      rows.map(([ts, cpu, pid, comm, event, fields]) => ({
        ts: Number(ts),
        cpu: Number(cpu),
        pid: Number(pid),
        comm,
        name: event,
        fields: JSON.parse(String(fields)),
      })),
      lines,
    );
  });
}

Deno.test("whole calls are rows, with the time of those inside and the caller", () => {
  const rows = callRows([
    { func: 1, depth: 0, ts: 100 },
    { func: 2, depth: 1, ts: 200 },
    { func: 1, depth: 2, ts: 300 },
    { func: 1, depth: 2, ts: 350, duration: 50 },
    { func: 2, depth: 1, ts: 500, duration: 300 },
    { func: 1, depth: 0, ts: 900, duration: 800 },
    { func: 3, depth: 0, ts: 950 },
  ]);
  const names = (func: number) => BARE_GUEST.meta.symbols.ps(func, 0xffffffff);
  const epoch = 1_000_000_000n;
  assert.deepEqual(
    asked(
      "SELECT ts, duration, self, func, parent, depth, outermost FROM calls",
      rows,
      BARE_GUEST,
    ),
    [
      [epoch + 300n, 50n, 50n, names(1), names(2), 2n, 0n],
      [epoch + 200n, 300n, 250n, names(2), names(1), 1n, 1n],
      [epoch + 100n, 800n, 500n, names(1), null, 0n, 1n],
    ],
  );
  assert.deepEqual(
    asked(
      "SELECT func, calls, total, self, min, max, mean FROM functions ORDER BY 1",
      rows,
      BARE_GUEST,
    ),
    [
      [names(1), 2n, 800n, 550n, 50n, 800n, 425],
      [names(2), 1n, 300n, 250n, 300n, 300n, 300],
    ],
  );
});

Deno.test("the calls of a recorded trace are those that its rows pair", () => {
  const fixture = loadFixture(FIXTURES.find((name) => name.endsWith("graph"))!);
  const decoded = decodeFixture(fixture);
  const [[count, total]] = asked(
    "SELECT count(*), sum(self) FROM calls",
    decoded,
    fixture,
  );
  const { stacks } = expectedStacks(
    decoded.columns,
    () => "",
    (row) => String(row),
  );
  let whole = 0;
  let self = 0;
  for (const stack of stacks.values()) {
    whole += stack.calls;
    self += stack.self;
  }
  assert.ok(whole > 100);
  assert.deepEqual([Number(count), Number(total)], [whole, self]);
});

Deno.test("only what a statement can name is filled", () => {
  const rows = callRows([
    { func: 1, depth: 0, ts: 100 },
    { func: 1, depth: 0, ts: 150, duration: 50 },
  ]);
  using database = new TraceDatabase("SELECT duration FROM calls");
  writeBuffers({ ...rows, cpus: [] }, BARE_GUEST, database.writer());
  assert.deepEqual([...database.result().rows()], [[50n]]);
  // Each of these names a column in another way.
  for (
    const [sql, ...columns] of [
      ["select PID from calls", "pid"],
      ['select "self" from calls', "self"],
      ["select * from calls", "pid", "self", "func"],
      ["select c.* from calls c", "pid", "parent"],
      ["select 1 from calls a natural join events b", "pid", "ts", "comm"],
      ["with x(y) as (select func from calls) select y from x", "func"],
      ["select mean from functions", "duration", "func", "self", "outermost"],
    ]
  ) {
    const named = namedIn(sql);
    assert.ok(named.has("calls"), sql);
    for (const column of columns) assert.ok(named.column(column), sql);
  }
  const few = namedIn("select count(*), count( * ) from events");
  assert.deepEqual(
    [few.has("events"), few.has("calls"), few.column("fields")],
    [true, false, false],
  );
});

Deno.test("a statement that cannot be used is told in one sentence", () => {
  const rows = callRows([{ func: 1, depth: 0, ts: 100 }]);
  for (
    const [sql, why] of [
      ["SELECT nope FROM events", /^SQL: no such column: nope$/],
      ["SELECT 1 FROM nope", /^SQL: no such table: nope; there are events, /],
      ["SELEKT", /^SQL: near "SELEKT": syntax error/],
      ["", /gives no rows|SQL: /],
      ["DELETE FROM events", /gives no rows/],
      ["ATTACH 'x' AS y", /gives no rows/],
      ["PRAGMA max_page_count", /^SQL: /],
      ["SELECT 1; SELECT 2", /^SQL: there is more than one statement/],
      ["SELECT 1 /* ; */;; DROP TABLE events", /more than one statement/],
      ["SELECT load_extension('x')", /^SQL: not authorized/],
      ["SELECT json_extract('[1', '$') FROM events", /^SQL: malformed JSON/],
      ["SELECT readfile('/etc/passwd')", /no such function/],
      ["INSERT INTO events VALUES (1,2,3,4,5,6) RETURNING ts", /^SQL: /],
    ] as const
  ) {
    assert.throws(() => asked(sql, rows, BARE_GUEST), {
      name: "XftraceError",
      message: why,
    }, sql);
  }
});

Deno.test("semicolons that separate nothing are none", () => {
  const rows = callRows([{ func: 1, depth: 0, ts: 100 }]);
  const sql = `SELECT 'a;b' AS "c;d" /* ; */ FROM events; -- ; the end`;
  assert.deepEqual(asked(sql, rows, BARE_GUEST), [["a;b"]]);
});

Deno.test("tables that grow too large end with a sentence", () => {
  const fixture = loadFixture(FIXTURES[0]);
  const decoded = decodeFixture(fixture);
  assert.throws(
    () => asked("SELECT * FROM events", decoded, fixture, 1 << 16),
    /^XftraceError: the columns that this statement names take more than 0 MiB/,
  );
});

Deno.test("times that are no integers of SQLite are left empty", () => {
  const rows = callRows([
    { func: 1, depth: 0, ts: 5 },
    { func: 1, depth: 0, ts: 10, duration: 2 ** 64 },
    { func: 1, depth: 0, ts: 2 ** 63 },
  ]);
  assert.deepEqual(asked("SELECT ts FROM events", rows, BARE_GUEST), [
    [1_000_000_005n],
    [1_000_000_010n],
    [null],
  ]);
  assert.deepEqual(asked("SELECT ts, depth FROM calls", rows, BARE_GUEST), [
    [null, 0n],
  ]);
});

Deno.test("findings are rows as well", () => {
  using database = new TraceDatabase(
    "SELECT check_id, address, module FROM findings",
  );
  assert.ok(database.asksForFindings);
  database.findings([{
    check: "XF001",
    severity: "critical",
    where: "sys_call_table[0]",
    address: 0xffffffff81000000n,
    summary: "it leads elsewhere",
  }]);
  assert.deepEqual([...database.result().rows()], [
    ["XF001", "0xffffffff81000000", null],
  ]);
});
