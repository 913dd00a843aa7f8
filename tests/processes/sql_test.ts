/** `xftrace sql` on recordings: its numbers are those of other commands. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const XFTRACE = fileURLToPath(import.meta.resolve("../../scripts/xftrace.ts"));
const CORE = fileURLToPath(
  import.meta.resolve("../../testdata/guest-6.12.core.zst"),
);

async function xftrace(
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", XFTRACE, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** The objects that a statement gives. */
async function asked(
  sql: string,
  target: string,
): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await xftrace(
    ...["sql", sql, "-t", target, "--mode", "json"],
  );
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

Deno.test("SQL over a core and its trace.dat gives what other commands give", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const core = `core:${CORE}`;
    const dat = `dat:${join(folder, "trace.dat")}`;
    const converted = await xftrace("convert", CORE, "-o", dat.slice(4));
    assert.equal(converted.code, 0, converted.err);
    const lines = await xftrace("report", "-t", core, "-f", "jsonl");
    const events: { name: string; fields: Record<string, unknown> }[] = lines
      .out.trimEnd().split("\n").map((line) => JSON.parse(line));
    const counts = new Map<string, number>();
    for (const { name } of events) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const switches = events.filter(({ name }) => name === "sched_switch")
      .map(({ fields }) => fields);
    assert.ok(switches.length > 10);
    for (const target of [core, dat]) {
      const named = await asked(
        "SELECT name, count(*) AS n FROM events GROUP BY 1",
        target,
      );
      assert.deepEqual(
        new Map(named.map(({ name, n }) => [name, n])),
        counts,
        target,
      );
      const own = await asked(
        "SELECT prev_comm, prev_pid, next_comm, next_pid FROM sched_switch ORDER BY common_ts",
        target,
      );
      assert.deepEqual(
        own,
        switches.map(({ prev_comm, prev_pid, next_comm, next_pid }) => ({
          prev_comm,
          prev_pid,
          next_comm,
          next_pid,
        })),
      );
      const [{ calls }] = await asked(
        "SELECT sum(calls) AS calls FROM functions",
        target,
      );
      assert.ok(Number(calls) > 1000);
    }
    const [one, other] = await Promise.all(
      [core, dat].map((target) =>
        asked("SELECT * FROM functions ORDER BY func", target)
      ),
    );
    assert.deepEqual(other, one);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("rows are written as a table and as CSV, and mistakes told", async () => {
  const core = `core:${CORE}`;
  const sql =
    "SELECT 'a,\"b' AS text, 12 AS number, NULL AS no, x'0aff' AS bytes";
  const table = await xftrace("sql", sql, "-t", core);
  assert.equal(
    table.out,
    "text  number  no  bytes\n" +
      "----  ------  --  -----\n" +
      'a,"b      12      0aff\n',
  );
  const csv = await xftrace("sql", sql, "-t", core, "--mode", "csv");
  assert.equal(csv.out, 'text,number,no,bytes\r\n"a,""b",12,,0aff\r\n');
  const wrong = await xftrace("sql", "SELECT 1 FROM elsewhere", "-t", core);
  assert.equal(wrong.code, 64);
  assert.match(
    wrong.err,
    /^xftrace: SQL: no such table: elsewhere; there are /,
  );
  // An ordinary snapshot lacks what most checks read.
  const findings = await xftrace("sql", "SELECT * FROM findings", "-t", core);
  assert.equal(findings.code, 3);
  assert.match(findings.err, /not judged/);
});
