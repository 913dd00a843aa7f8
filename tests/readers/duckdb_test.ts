/**
 * Parquet files are read by DuckDB: all events, values and times, and the
 * statistics by which it passes over row groups.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";
import { readPage } from "../../engine/output/formats/html_fixture.ts";
import { percentile } from "../../engine/output/page/histogram.ts";

const path = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../${name}`));

async function xftrace(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", path("scripts/xftrace.ts"), ...args],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

interface Line {
  readonly ts: number;
  readonly cpu: number;
  readonly pid: number;
  readonly name: string;
  readonly lost?: number | null;
  readonly fields: { readonly func?: string; readonly duration?: number };
}

for (const kernel of ["6.1", "6.12"]) {
  Deno.test(`the recorded ${kernel} guest in DuckDB`, async () => {
    using folder = new TemporaryFolder();
    const core = path(`testdata/guest-${kernel}.core.zst`);
    const parquet = join(folder.path, "trace.parquet");
    const html = join(folder.path, "trace.html");
    await xftrace("convert", core, "-o", parquet);
    await xftrace("convert", core, "-o", html);
    const lines: Line[] =
      (await xftrace("report", "--format", "jsonl", "-t", `core:${core}`))
        .trimEnd().split("\n").map((line) => JSON.parse(line));
    const instance = await DuckDBInstance.create(":memory:");
    const database = await instance.connect();
    const rows = async (sql: string) =>
      (await database.runAndReadAll(sql.replaceAll("FILE", `'${parquet}'`)))
        .getRowObjects();

    const [{ events, first, last }] = await rows(
      "SELECT count(*) AS events, min(ts) AS first, max(ts) AS last FROM FILE",
    );
    assert.equal(Number(events), lines.length);
    assert.equal(Number(first), lines[0].ts);
    assert.equal(Number(last), lines.at(-1)?.ts);
    const order = await rows("SELECT ts, cpu, pid, name FROM FILE");
    order.forEach(({ ts, cpu, pid, name }, i) => {
      const { [i]: line } = lines;
      assert.deepEqual(
        [Number(ts), Number(cpu), Number(pid), name],
        [line.ts, line.cpu, line.pid, line.name],
      );
    });

    // The same percentile by SQL, worked out here, and on the page.
    const p99 = await rows(
      `SELECT func, count(*) AS calls, quantile_disc(duration, 0.99) AS p99
       FROM FILE WHERE duration IS NOT NULL GROUP BY func HAVING calls >= 20`,
    );
    const { trace } = readPage(Deno.readTextFileSync(html)).data;
    assert.ok(trace !== undefined && p99.length > 3, `${p99.length}`);
    const { functions, names } = trace;
    for (const { func, calls, p99: value } of p99) {
      const own = lines.flatMap(({ fields }) =>
        fields.func === func && fields.duration !== undefined
          ? [fields.duration]
          : []
      ).sort((a, b) => a - b);
      assert.equal(Number(calls), own.length);
      const exact = own[Math.ceil(0.99 * own.length) - 1];
      assert.equal(Number(value), exact, `${func}`);
      // The page has calls that were seen whole, and buckets of three per cent.
      const at = functions.name.findIndex((id) => names[id] === func);
      if (functions.calls[at] !== own.length) continue;
      const shown = percentile(
        functions.histogram[at],
        0.99,
        functions.max[at],
      );
      assert.ok(Math.abs(shown - exact) <= exact / 30 + 1, `${func}: ${shown}`);
    }

    // By these, row groups that hold nothing of what is asked are passed over.
    const groups = await rows(
      `SELECT row_group_id AS id, any_value(row_group_num_rows) AS size,
         any_value(stats_min_value) AS least, any_value(stats_max_value) AS most
       FROM parquet_metadata(FILE) WHERE path_in_schema = 'ts'
       GROUP BY id ORDER BY id`,
    );
    let from = 0;
    for (const { size, least, most } of groups) {
      const to = from + Number(size);
      const times = lines.slice(from, to).map(({ ts }) => ts);
      assert.equal(Number(least), Math.min(...times));
      assert.equal(Number(most), Math.max(...times));
      from = to;
    }
    assert.equal(from, lines.length);
    const [{ none }] = await rows(
      `SELECT count(*) AS none FROM FILE WHERE ts > ${lines.at(-1)?.ts}`,
    );
    assert.equal(Number(none), 0);
    database.closeSync();
    instance.closeSync();
  });
}
