import assert from "node:assert/strict";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { TimeMerge } from "../../ftrace/ring/merge.ts";
import {
  DAT_KINDS,
  datFile,
  kindName,
  openDatBytes,
} from "../../tracedat/dat_fixture.ts";
import type { DatTrace } from "../../tracedat/dat_trace.ts";
import { writeDat } from "../write_dat.ts";
import { rowsOf } from "../writer_fixture.ts";
import { written } from "./call_fixture.ts";
import { TRACE_DAT, TRACE_DAT_6 } from "./trace_dat.ts";
import { writeTracecmdReport } from "../tracecmd/write_report.ts";

/** Each event as text, with all its bytes. */
function rows(trace: DatTrace): string[] {
  const all: string[] = [];
  trace.read({
    events({ columns, arena, from, to }) {
      for (let row = from; row < to; row++) {
        const at = columns.offset[row];
        all.push(
          `${columns.timeAt(row)} ${columns.cpu[row]} ${
            arena.bytes.subarray(at, at + columns.size[row])
          }`,
        );
      }
    },
    lost: ({ cpu, count }) => all.push(`lost ${count} of ${cpu}`),
  });
  return all;
}

for (const format of [TRACE_DAT, TRACE_DAT_6]) {
  for (const name of FIXTURES) {
    Deno.test(`${name} as ${format.name}: each event is in the file, byte for byte`, () => {
      const fixture = loadFixture(name);
      const { columns, arena } = decodeFixture(fixture);
      using trace = openDatBytes(
        written(format, { columns, arena }, fixture),
      );
      const expected: string[] = [];
      const merge = new TimeMerge(columns);
      for (let row = merge.next(); row >= 0; row = merge.next()) {
        const at = columns.offset[row];
        expected.push(
          `${columns.timeAt(row)} ${columns.cpu[row]} ${
            arena.bytes.subarray(at, at + columns.size[row])
          }`,
        );
      }
      assert.deepEqual(rows(trace), expected);
      for (const type of new Set(columns.type.subarray(0, columns.length))) {
        const own = fixture.meta.format(type);
        if (own === undefined) continue;
        const read = trace.layout.events.get(type)!;
        assert.equal(read.name, own.name);
        assert.deepEqual(
          read.fields.map(({ name, offset, size }) => [name, offset, size]),
          own.fields.map(({ name, offset, size }) => [name, offset, size]),
        );
        assert.equal(read.printFmt, own.printFmt.trim());
      }
    });
  }
}

Deno.test("losses, and times that are far apart or go back", () => {
  const far = 2 ** 40;
  const trace = rowsOf([[0, 5], [0, 6, 7], [0, far], [0, far + 2 ** 27, -1]]);
  // An entry must have its common fields at least.
  trace.columns.size.fill(8);
  for (const format of [TRACE_DAT, TRACE_DAT_6]) {
    using read = openDatBytes(written(format, trace));
    assert.deepEqual(
      rows(read).map((row) => row.replace(/ 0,.*/, "")),
      [
        "1000000005 0",
        "lost 7 of 0",
        "1000000006 0",
        `${1_000_000_000 + far} 0`,
        "lost -1 of 0",
        `${1_000_000_000 + far + 2 ** 27} 0`,
      ],
    );
  }
});

Deno.test("a trace without events is a file without events", () => {
  for (const format of [TRACE_DAT, TRACE_DAT_6]) {
    using read = openDatBytes(written(format, rowsOf([])));
    assert.deepEqual(rows(read), []);
    assert.equal(read.header.cpuCount, 1);
  }
});

for (const kind of DAT_KINDS) {
  Deno.test(`${kindName(kind)}: converting a file keeps its text`, () => {
    using source = openDatBytes(datFile(kind));
    const text = (trace: DatTrace) => {
      let all = "";
      writeTracecmdReport(trace, (chunk) => all += chunk);
      return all;
    };
    for (const format of [TRACE_DAT, TRACE_DAT_6]) {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      writeDat(
        source,
        format.writer((chunk) => {
          assert.ok(typeof chunk !== "string");
          parts.push(chunk.slice());
        }),
      );
      const size = parts.reduce((sum, { length }) => sum + length, 0);
      const bytes = new Uint8Array(size);
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      using converted = openDatBytes(bytes);
      assert.equal(converted.header.little, kind.little);
      assert.equal(converted.header.longSize, kind.longSize);
      assert.equal(text(converted), text(source));
    }
  });
}

Deno.test("a file without buffers, or without the instance, is one clear error", () => {
  const kind = { version: 7, little: true, longSize: 8 } as const;
  using empty = openDatBytes(datFile(kind, []));
  using full = openDatBytes(datFile(kind));
  const writer = () =>
    TRACE_DAT.writer(() => assert.fail("nothing is written"));
  assert.throws(
    () => writeDat(empty, writer()),
    /^XftraceError: test\.dat holds no events/,
  );
  assert.throws(
    () => writeDat(full, writer(), { instance: "none" }),
    /^XftraceError: test\.dat has no instance "none"/,
  );
});
