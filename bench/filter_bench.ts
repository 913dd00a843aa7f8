/**
 * What filtering costs: 4 million recorded events are decoded only, or decoded
 * and filtered by a condition, by a function of the script, or not at all. Also
 * the same trace, if the guest was told what to record. Run with
 * `deno bench --allow-read bench/filter_bench.ts`.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  compile,
  duration,
  func,
  type Query,
  sys_openat,
  trace,
} from "../mod.ts";
import { EventColumns } from "../engine/ftrace/ring/columns.ts";
import { traceLayout } from "../engine/ftrace/ring/meta.ts";
import { PageDecoder } from "../engine/ftrace/ring/page.ts";
import { readBuffers } from "../engine/ftrace/ring/reader.ts";
import { appendRow } from "../engine/passes/rows.ts";
import { openRunTarget, runFrame } from "../engine/run/run.ts";
import { openCoreSession } from "../engine/session.ts";
import { recorded } from "../tests/dsl/guest_model_fixture.ts";
import { steerable } from "../tests/dsl/support_fixture.ts";

const EVENTS = 4_000_000;

const path =
  new URL("../testdata/guest-6.1.core.zst", import.meta.url).pathname;
// Not `using`: the benchmarks run after this module has been evaluated.
const session = openCoreSession("core:guest-6.1", path);
const target = openRunTarget(session);
const layout = traceLayout(session.kernel.types);
const { arena, columns: one } = readBuffers(target.instance, layout);
const times = Math.ceil(EVENTS / one.length);

/** The recorded pages: each slot, with its CPU. */
const pages = new Map<number, number>();
for (let row = 0; row < one.length; row++) {
  const slot = Math.floor(one.offset[row] / arena.slotSize) * arena.slotSize;
  pages.set(slot, one.cpu[row]);
}

/** Repeats a recording, with increasing times. */
function repeated(from: EventColumns): EventColumns {
  const to = new EventColumns(from.epoch, from.length * times);
  let least = Infinity;
  let most = -Infinity;
  for (let row = 0; row < one.length; row++) {
    least = Math.min(least, one.ts[row]);
    most = Math.max(most, one.ts[row]);
  }
  const cpus = new Set(from.cpu.slice(0, from.length));
  for (const cpu of cpus) {
    for (let i = 0; i < times; i++) {
      for (let row = 0; row < from.length; row++) {
        if (from.cpu[row] !== cpu) continue;
        to.ts[appendRow(to, from, row)] += i * (most - least + 1000);
      }
    }
  }
  return to;
}

const scratch = new EventColumns(one.epoch, one.length * times + 65536);

/** Decodes as many events as the columns have. */
function decode({ length }: EventColumns): void {
  scratch.clear();
  const decoder = new PageDecoder(layout, scratch);
  while (scratch.length < length) {
    for (const [slot, cpu] of pages) {
      decoder.decodeSlot(arena, slot, cpu);
      if (scratch.length >= length) break;
    }
  }
}

/** Runs a query over columns; returns the number of resulting events. */
function run(query: Query<unknown>, columns: EventColumns): number {
  const program = compile([query.spec], target.facts);
  const frame = { columns, arena, ordered: false };
  return runFrame(program, target, frame, { write: () => {} }).events[0];
}

const all = trace().via("graph");
const asked = trace(sys_openat).via("graph").filter(duration.gt("20us"))
  .count();
const condition = all
  .filter(func.eq("sys_openat").and(duration.gt("20us"))).count();
const closure = all
  .filter((e) => e.func === "sys_openat" && e.duration > 20_000).count();

const many = repeated(one);
// What the guest would have recorded if it had been told function and depth.
const told = compile([asked.spec], steerable(target.facts));
const few = repeated(recorded(told, target, one));

const wanted = run(condition, many);
assert.ok(wanted > 0);
assert.equal(run(closure, many), wanted);
assert.equal(run(asked, few), wanted);

const options = { group: "filter", n: 5, warmup: 1 };

Deno.bench({
  ...options,
  name: `decode of ${many.length} events`,
  baseline: true,
  fn() {
    decode(many);
  },
});

for (
  const [name, query, columns] of [
    ["decode, no filter", all.count(), many],
    ["decode, condition", condition, many],
    ["decode, closure", closure, many],
    [`pushed down: ${few.length} events are left`, asked, few],
  ] as const
) {
  Deno.bench({
    ...options,
    name,
    fn() {
      decode(columns);
      run(query, columns);
    },
  });
}
