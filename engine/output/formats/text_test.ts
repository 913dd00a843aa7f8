import assert from "node:assert/strict";
import { RunBuilder } from "../run_builder.ts";
import { BARE_GUEST, rowsOf } from "../writer_fixture.ts";
import { EventRun, type TraceSource } from "../writer.ts";
import { TEXT } from "./text.ts";

const OPTIONS = { ...BARE_GUEST.options, contextInfo: false };

/** The chunks of a trace with these sources and one event each. */
function chunksOf(source: Partial<TraceSource>): string[] {
  const chunks: string[] = [];
  const writer = TEXT.writer((chunk) => chunks.push(String(chunk)));
  const whole: TraceSource = {
    meta: BARE_GUEST.meta,
    options: BARE_GUEST.options,
    kind: "buffers",
    ...source,
  };
  writer.begin([whole]);
  writer.end({ events: 0, lost: 0, dropped: 0 });
  return chunks;
}

Deno.test("buffers get the trace file's header, with its counters", () => {
  const [header, ...rest] = chunksOf({ counts: { entries: 3, written: 9 } });
  assert.match(
    header,
    /^# tracer: nop\n#\n# entries-in-buffer\/entries-written: 3\/9 {3}#P:1\n#\n#/,
  );
  assert.deepEqual(rest, []);
});

Deno.test("a collected trace has no counters, a live one no header", () => {
  const [header] = chunksOf({ kind: "collected" });
  assert.match(header, /^# tracer: nop\n#\n# {32}_-----=> irqs-off/);
  assert.deepEqual(chunksOf({ kind: "live" }), []);
});

Deno.test("the latency format has no header when there are no entries", () => {
  const options = { ...BARE_GUEST.options, latencyFormat: true };
  const none = "# tracer: nop\n#\n";
  assert.deepEqual(chunksOf({ kind: "collected", options }), [none]);
  const counts = { entries: 0, written: 0 };
  assert.deepEqual(chunksOf({ options, counts }), [none]);
});

Deno.test("losses come before the events, and both are passed on when flushed", () => {
  let got = "";
  const writer = TEXT.writer((chunk) => got += chunk);
  const source: TraceSource = {
    meta: BARE_GUEST.meta,
    options: OPTIONS,
    kind: "live",
  };
  writer.begin([source]);
  const { columns, arena } = rowsOf([[0, 1, 5], [0, 2], [1, 3, -1]]);
  const runs = new RunBuilder(source, writer);
  for (const row of columns.ts.subarray(0, 3).keys()) {
    runs.add(columns, row, arena);
  }
  runs.flush();
  assert.equal(got, "");
  writer.flush?.();
  assert.equal(
    got,
    "CPU:0 [LOST 5 EVENTS]\nUnknown type 0\nUnknown type 0\n" +
      "CPU:1 [LOST EVENTS]\nUnknown type 0\n",
  );
});

Deno.test("several guests are refused with an explanation", () => {
  const source: TraceSource = { ...BARE_GUEST, kind: "live" };
  assert.throws(
    () => TEXT.writer(() => {}).begin([source, source]),
    /the format text shows the trace of one guest, not of 2/,
  );
});

Deno.test("of a line that cannot be written, nothing is passed on", () => {
  const { columns, arena } = rowsOf([[0, 1], [0, 2], [0, 3]]);
  arena.acquire();
  columns.type.set([500, 501, 500]);
  columns.size.fill(32);
  const printFmt = '"text %s", REC->text';
  const text = { name: "text", type: "char *", offset: 8, size: 8 };
  const format = (id: number) => ({
    id,
    system: "test",
    name: `event${id}`,
    fields: [{ ...text, signed: false }],
    printFmt: id === 500 ? '"fine"' : printFmt,
  });
  arena.words.fill(0x1000_0000, 0, 16);
  const gone = new Error("the guest is gone");
  const source: TraceSource = {
    meta: {
      ...BARE_GUEST.meta,
      format,
      string: () => {
        throw gone;
      },
    },
    options: OPTIONS,
    kind: "live",
  };
  for (const bytes of [false, true]) {
    let got = "";
    const writer = TEXT.writer((chunk) => {
      got += typeof chunk === "string"
        ? chunk
        : new TextDecoder().decode(chunk);
    }, { bytes });
    writer.begin([source]);
    const run = new EventRun(source, columns, arena);
    run.to = 3;
    assert.throws(() => writer.events(run), gone);
    // Somebody may go on with what is behind it.
    run.from = 2;
    writer.events(run);
    writer.flush?.();
    assert.equal(got, "event500: fine\nevent500: fine\n");
  }
});
