/** Tables in Parquet, read with a library and compared with lines of JSON. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { BARE_GUEST } from "../writer_fixture.ts";
import { writeBuffers } from "../write_buffers.ts";
import { callRows, written } from "./call_fixture.ts";
import { JSONL } from "./jsonl.ts";
import { PARQUET, ParquetTraceWriter } from "./parquet.ts";

/** The rows of a file, without cells that are empty. */
async function rowsOf(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Record<string, unknown>[]> {
  const rows = await parquetReadObjects({
    file: bytes.buffer,
    compressors: {
      ZSTD: (packed: Uint8Array) => new Uint8Array(zstdDecompressSync(packed)),
    },
  });
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).filter(([, cell]) => cell !== null)
        .map(([name, cell]) => [
          name,
          typeof cell === "bigint" ? Number(cell) : cell,
        ]),
    )
  );
}

for (const name of FIXTURES) {
  Deno.test(`${name}: each event is a row, with what its line of JSON has`, async () => {
    const fixture = loadFixture(name);
    const decoded = decodeFixture(fixture);
    let text = "";
    const parts: Uint8Array[] = [];
    writeBuffers(
      { ...decoded, cpus: [] },
      fixture,
      JSONL.writer((chunk) => text += chunk),
    );
    writeBuffers(
      { ...decoded, cpus: [] },
      fixture,
      PARQUET.writer((chunk) => parts.push(chunk as Uint8Array)),
    );
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    const rows = await rowsOf(
      new Uint8Array(
        await new Blob(
          parts.map((part) => part.slice()),
        ).arrayBuffer(),
      ),
    );
    assert.equal(rows.length, lines.length);
    rows.forEach((row, i) => {
      const { ts, cpu, pid, comm, name, fields } = lines[i];
      const call = /^funcgraph_e/.test(name);
      const ends = name === "funcgraph_exit";
      assert.deepEqual({ ...row, fields: JSON.parse(String(row.fields)) }, {
        ts,
        cpu,
        pid,
        ...(comm === null ? {} : { comm }),
        name,
        ...(call ? { func: fields.func, depth: fields.depth } : {}),
        ...(ends
          ? { start: ts - fields.duration, duration: fields.duration }
          : {}),
        fields,
      });
    });
  });
}

Deno.test("a group ends after a second, and has its least and greatest values", async () => {
  const second = 1e9;
  const events = Array.from({ length: 2500 }, (_, i) => ({
    func: 1,
    depth: 0,
    // 1500 in the first second, the others later, one each second.
    ts: i < 1500 ? i : second * (i - 1499),
  }));
  const bytes = written(PARQUET, callRows(events));
  const { row_groups, key_value_metadata } = parquetMetadata(bytes.buffer);
  const ts = row_groups.map(({ columns }) =>
    columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === "ts")
      ?.meta_data?.statistics
  );
  const epoch = 1_000_000_000n;
  assert.deepEqual(
    row_groups.map(({ num_rows }) => Number(num_rows)),
    [1500, 1000],
  );
  assert.deepEqual(ts.map((each) => [each?.min_value, each?.max_value]), [
    [epoch, epoch + 1499n],
    [epoch + 1_000_000_000n, epoch + 1_000_000_000_000n],
  ]);
  assert.equal(
    key_value_metadata?.find(({ key }) => key === "xftrace.events")?.value,
    "2500",
  );
  assert.equal((await rowsOf(bytes)).length, 2500);
});

Deno.test("times that the file's type cannot hold are left empty", async () => {
  const bytes = written(
    PARQUET,
    callRows([
      { func: 1, depth: 0, ts: 5 },
      { func: 1, depth: 0, ts: 10, duration: 2 ** 64 },
      { func: 1, depth: 0, ts: 2 ** 63 },
    ]),
  );
  const rows = await rowsOf(bytes);
  assert.deepEqual(rows.map(({ ts, duration }) => [ts, duration]), [
    [1_000_000_005, undefined],
    [1_000_000_010, undefined],
    [undefined, undefined],
  ]);
});

Deno.test("missing events are a row as well", async () => {
  const parts: Uint8Array[] = [];
  const writer = PARQUET.writer((chunk) => parts.push(chunk as Uint8Array));
  const source = { kind: "buffers", ...BARE_GUEST } as const;
  writer.begin([source]);
  writer.lost({ source, cpu: 3, count: 12, before: 77n });
  writer.lost({ source, cpu: 1, count: -1, before: 78n });
  writer.end({ events: 0, lost: 12, dropped: 0 });
  const rows = await rowsOf(
    new Uint8Array(
      await new Blob(
        parts.map((part) => part.slice()),
      ).arrayBuffer(),
    ),
  );
  assert.deepEqual(
    rows.map(({ ts, cpu, name, fields }) => [ts, cpu, name, fields]),
    [
      [77, 3, "lost_events", '{"lost":12}'],
      [78, 1, "lost_events", '{"lost":null}'],
    ],
  );
});

Deno.test("a group is as large as it may be, in pages, of which some have too many values to be numbered", async () => {
  const rows = 150_000;
  const events = Array.from({ length: rows }, (_, i) => ({
    func: i % 3,
    depth: 0,
    ts: i,
    // The first 100,000 have a pid each: the numbers end within a page.
    pid: i < 100_000 ? i : 7,
  }));
  const parts: Uint8Array[] = [];
  writeBuffers(
    { ...callRows(events), cpus: [] },
    BARE_GUEST,
    new ParquetTraceWriter(
      (chunk) => parts.push((chunk as Uint8Array).slice()),
      120_000,
    ),
  );
  const bytes = new Uint8Array(Buffer.concat(parts));
  const { row_groups } = parquetMetadata(bytes.buffer);
  assert.deepEqual(
    row_groups.map(({ num_rows }) => Number(num_rows)),
    [120_000, 30_000],
  );
  const [pid] = row_groups[0].columns.map(({ meta_data }) => meta_data)
    .filter((data) => data?.path_in_schema[0] === "pid");
  assert.equal(pid?.statistics?.min_value, 0);
  assert.equal(pid?.statistics?.max_value, 99_999);
  assert.equal(pid?.statistics?.null_count, 0n);
  assert.deepEqual(
    pid?.encoding_stats?.map(({ page_type, encoding }) => [
      page_type,
      encoding,
    ]),
    [
      ["DICTIONARY_PAGE", "PLAIN"],
      ["DATA_PAGE_V2", "RLE_DICTIONARY"],
      ["DATA_PAGE_V2", "PLAIN"],
    ],
  );
  const read = await rowsOf(bytes);
  assert.deepEqual(
    read.map(({ ts, pid, name }) => [ts, pid, name]),
    events.map(({ ts, pid }) => [
      1_000_000_000 + ts,
      pid,
      "funcgraph_entry",
    ]),
  );
});

Deno.test("the least and greatest text are those of its UTF-8; halves of pairs are U+FFFD", async () => {
  const comms = ["\u{10ffff}", "\uffee", "b", "ba", "\udcff"];
  const bytes = written(
    PARQUET,
    callRows(comms.map((_, i) => ({ func: 1, depth: 0, ts: i, pid: i + 1 }))),
    {
      ...BARE_GUEST,
      meta: { ...BARE_GUEST.meta, comm: (pid) => comms[pid - 1] },
    },
  );
  const [comm] = parquetMetadata(bytes.buffer).row_groups[0].columns
    .map(({ meta_data }) => meta_data)
    .filter((data) => data?.path_in_schema[0] === "comm");
  assert.equal(comm?.statistics?.min_value, "b");
  assert.equal(comm?.statistics?.max_value, "\u{10ffff}");
  assert.deepEqual(
    (await rowsOf(bytes)).map((row) => row.comm),
    comms.map((each) => each.toWellFormed()),
  );
});
