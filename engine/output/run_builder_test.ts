import assert from "node:assert/strict";
import { LONGEST_RUN, RunBuilder } from "./run_builder.ts";
import { BARE_GUEST, NotingWriter, rowsOf } from "./writer_fixture.ts";

/** A builder over two CPUs, each with a queue of its own. */
function building(takesNext = false) {
  const writer = new NotingWriter(() => takesNext);
  const runs = new RunBuilder({ ...BARE_GUEST, kind: "live" }, writer);
  return { writer, runs };
}

Deno.test("consecutive events become a run, which ends at another CPU's event", () => {
  const { writer, runs } = building();
  const zero = rowsOf([[0, 1], [0, 2], [0, 9]]);
  const one = rowsOf([[1, 5]]);
  runs.add(zero.columns, 0, zero.arena);
  runs.add(zero.columns, 1, zero.arena);
  runs.add(one.columns, 0, one.arena);
  runs.flush();
  runs.flush();
  assert.deepEqual(writer.notes, [
    "cpu 0: 1 2, next here 9, next 5",
    "cpu 1: 5",
  ]);
  assert.equal(runs.count, 3);
});

Deno.test("an event that the writer consumed early is not passed on again", () => {
  const { writer, runs } = building(true);
  const zero = rowsOf([[0, 1], [0, 6], [0, 7]]);
  const one = rowsOf([[1, 5]]);
  runs.add(zero.columns, 0, zero.arena);
  runs.add(one.columns, 0, one.arena);
  runs.add(zero.columns, 1, zero.arena);
  runs.add(zero.columns, 2, zero.arena);
  runs.flush();
  assert.deepEqual(writer.notes, [
    "cpu 0: 1, next here 6, next 5, taken",
    "cpu 1: 5, next 6",
    "cpu 0: 7",
  ]);
  assert.equal(runs.count, 4);
});

Deno.test("a loss ends a run and is reported before the event that follows it", () => {
  const { writer, runs } = building();
  const zero = rowsOf([[0, 1], [0, 2, 12], [0, 3]]);
  for (const row of [0, 1, 2]) runs.add(zero.columns, row, zero.arena);
  runs.flush();
  assert.deepEqual(writer.notes, [
    "cpu 0: 1, next here 2, next 2",
    "lost 12 of cpu 0 before 1000000002",
    "cpu 0: 2 3",
  ]);
});

Deno.test("an event that is left out ends a run, and its loss is reported", () => {
  const { writer, runs } = building();
  const zero = rowsOf([[0, 1], [0, 2], [0, 3], [0, 4, 9], [0, 5]]);
  runs.add(zero.columns, 0, zero.arena);
  runs.skip(zero.columns, 1);
  runs.add(zero.columns, 2, zero.arena);
  runs.skip(zero.columns, 3);
  runs.add(zero.columns, 4, zero.arena);
  runs.flush();
  assert.deepEqual(writer.notes, [
    "cpu 0: 1, next here 2, next 2",
    "cpu 0: 3, next here 4, next 4",
    "lost 9 of cpu 0 before 1000000004",
    "cpu 0: 5",
  ]);
  assert.equal(runs.count, 3);
});

Deno.test("an event that was consumed early and then left out does not hide another", () => {
  const { writer, runs } = building(true);
  const zero = rowsOf([[0, 1], [0, 2], [0, 3]]);
  runs.add(zero.columns, 0, zero.arena);
  runs.flush();
  runs.skip(zero.columns, 1);
  runs.add(zero.columns, 2, zero.arena);
  runs.flush();
  assert.deepEqual(writer.notes, ["cpu 0: 1, next here 2, taken", "cpu 0: 3"]);
});

Deno.test("runs have a maximum length", () => {
  const { writer, runs } = building();
  const { columns, arena } = rowsOf(
    Array.from({ length: LONGEST_RUN + 1 }, (_, ts) => [0, ts] as const),
  );
  for (let row = 0; row < columns.length; row++) runs.add(columns, row, arena);
  runs.flush();
  assert.equal(writer.notes.length, 2);
});
