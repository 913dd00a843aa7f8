import assert from "node:assert/strict";
import fc from "fast-check";
import { TimeMerge } from "../ftrace/ring/merge.ts";
import type { CpuReading } from "../ftrace/ring/reader.ts";
import { LONGEST_RUN } from "./run_builder.ts";
import { entryCounts, writeBuffers } from "./write_buffers.ts";
import { BARE_GUEST, NotingWriter, rowsOf } from "./writer_fixture.ts";

const CPU: CpuReading = {
  cpu: 0,
  events: 4,
  skipped: 0,
  overrun: 10,
  expected: 5,
  lost: 1,
  still: true,
};

Deno.test("a writer gets the start of the trace, runs in time order, and its end", () => {
  const rows = rowsOf([[0, 1], [0, 2], [0, 9], [1, 3], [1, 10]]);
  const writer = new NotingWriter();
  const totals = writeBuffers(
    { ...rows, cpus: [CPU, { ...CPU, cpu: 1, lost: 0 }] },
    { ...BARE_GUEST, target: "qemu:test" },
    writer,
  );
  assert.deepEqual(writer.notes, [
    'begin buffers qemu:test {"entries":10,"written":30}',
    "cpu 0: 1 2, next here 9, next 3",
    "cpu 1: 3, next here 10, next 9",
    "cpu 0: 9, next 10",
    "cpu 1: 10",
    "end 5 events, 1 lost, 20 dropped",
  ]);
  assert.deepEqual(totals, { events: 5, lost: 1, dropped: 20 });
});

Deno.test("losses are reported where they happened, even within a run", () => {
  const rows = rowsOf([[0, 1, 7], [0, 2], [0, 3, -1], [1, 5, 2]]);
  const writer = new NotingWriter();
  writeBuffers({ ...rows, cpus: [] }, BARE_GUEST, writer);
  assert.deepEqual(writer.notes.slice(1, -1), [
    "lost 7 of cpu 0 before 1000000001",
    "cpu 0: 1 2, next here 3, next 3",
    "lost -1 of cpu 0 before 1000000003",
    "cpu 0: 3, next 5",
    "lost 2 of cpu 1 before 1000000005",
    "cpu 1: 5",
  ]);
});

Deno.test("an event that the writer consumed early is not passed on again", () => {
  // A clock that goes backwards: the next event is determined without it.
  const rows = rowsOf([[0, 1], [0, 20], [0, 4], [1, 5]]);
  const writer = new NotingWriter((run) => run.from === 0);
  const { events } = writeBuffers({ ...rows, cpus: [] }, BARE_GUEST, writer);
  assert.deepEqual(writer.notes.slice(1, -1), [
    "cpu 0: 1, next here 20, next 5, taken",
    "cpu 0: 4, next 5",
    "cpu 1: 5",
  ]);
  assert.equal(events, 4);
});

Deno.test("runs have a maximum length", () => {
  const events = Array.from(
    { length: LONGEST_RUN + 5 },
    (_, ts) => [0, ts] as const,
  );
  const writer = new NotingWriter();
  writeBuffers({ ...rowsOf(events), cpus: [] }, BARE_GUEST, writer);
  const lengths = writer.notes.slice(1, -1).map((note) =>
    note.replace(/,.*/, "").split(" ").length - 2
  );
  assert.deepEqual(lengths, [LONGEST_RUN, 5]);
});

Deno.test("all events are passed on once, in the order of the kernel's merge", () => {
  const event = fc.record({ cpu: fc.nat(3), ts: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      // By CPU, in the order in which they are read; the clock may go
      // backwards.
      events.sort((a, b) => a.cpu - b.cpu);
      const rows = rowsOf(events.map(({ cpu, ts }) => [cpu, ts]));
      const writer = new NotingWriter();
      writeBuffers({ ...rows, cpus: [] }, BARE_GUEST, writer);
      const { columns } = rows;
      assert.deepEqual(
        writer.rows,
        Array.from(
          new TimeMerge(columns).order(),
          (row) => `${columns.cpu[row]}@${columns.ts[row]}`,
        ),
      );
    }),
    { numRuns: 500, seed: 1 },
  );
});

Deno.test("the counters do not include what is older than the trace", () => {
  assert.deepEqual(
    entryCounts({ cpus: [CPU, { ...CPU, skipped: 2 }] }),
    { entries: 8, written: 18 },
  );
  assert.deepEqual(
    entryCounts({ cpus: [CPU], others: [{ ...CPU, skipped: 2 }] }),
    { entries: 8, written: 18 },
  );
});
