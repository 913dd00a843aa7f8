/**
 * What filtering costs: 4 million recorded events through a condition, a
 * function of the script, and neither, as ratios to the bare decode.
 *
 *     deno run --allow-read bench/filter_bench.ts
 *
 * @module
 */
import { compile, duration, pid, type Query, trace } from "../mod.ts";
import { EventColumns } from "../engine/ftrace/columns.ts";
import { traceLayout } from "../engine/ftrace/meta.ts";
import { PageDecoder } from "../engine/ftrace/page.ts";
import { readBuffers } from "../engine/ftrace/reader.ts";
import { openTarget, runFrame } from "../engine/plan/run.ts";
import { openCoreSession } from "../engine/session.ts";
import { recorded } from "../tests/dsl/guest_model.ts";
import { steerable } from "../tests/dsl/support.ts";

const EVENTS = 4_000_000;
const ROUNDS = 5;

const path =
  new URL("../testdata/guest-6.1.core.zst", import.meta.url).pathname;
using session = openCoreSession("core:guest-6.1", path);
const target = openTarget(session);
const layout = traceLayout(session.kernel.types);
const reading = readBuffers(target.instance, layout);
const { arena } = reading;
const one = reading.columns;

/** The recorded pages: each slot with its CPU. */
const pages = new Map<number, number>();
for (let row = 0; row < one.length; row++) {
  const slot = Math.floor(one.offset[row] / arena.slotSize) * arena.slotSize;
  pages.set(slot, one.cpu[row]);
}

/** Median of some runs, in ns an event. */
function measured(work: () => void, events: number): number {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    work();
    // The first round is for the compiler.
    if (round > 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] * 1e6 / events;
}

/** The recording, over and over, time going on. */
function repeated(from: EventColumns, length: number): EventColumns {
  const to = new EventColumns(from.epoch, length);
  let least = Infinity;
  let most = -Infinity;
  for (let row = 0; row < from.length; row++) {
    least = Math.min(least, from.ts[row]);
    most = Math.max(most, from.ts[row]);
  }
  const span = most - least + 1000;
  const cpus = new Set(from.cpu.slice(0, from.length));
  const times = Math.ceil(length / from.length);
  for (const cpu of cpus) {
    for (let i = 0; i < times; i++) {
      for (let row = 0; row < from.length; row++) {
        if (from.cpu[row] !== cpu || to.length === length) continue;
        const at = to.length++;
        to.ts[at] = from.ts[row] + i * span;
        to.cpu[at] = cpu;
        to.type[at] = from.type[row];
        to.pid[at] = from.pid[row];
        to.offset[at] = from.offset[row];
        to.size[at] = from.size[row];
        to.kind[at] = from.kind[row];
        to.func[2 * at] = from.func[2 * row];
        to.func[2 * at + 1] = from.func[2 * row + 1];
        to.depth[at] = from.depth[row];
        to.duration[at] = from.duration[row];
      }
    }
  }
  return to;
}

const repeats = Math.ceil(EVENTS / one.length);
const scratch = new EventColumns(one.epoch, EVENTS + 65536);
const bare = measured(() => {
  scratch.clear();
  const decoder = new PageDecoder(layout, scratch);
  for (let i = 0; i < repeats && scratch.length < EVENTS; i++) {
    for (const [slot, cpu] of pages) decoder.decodeSlot(arena, slot, cpu);
  }
}, EVENTS);

const many = repeated(one, EVENTS);

/** ns an event of the 4 million, and how many came out. */
function stream(
  query: Query<unknown>,
  columns: EventColumns,
): { ns: number; out: number } {
  const program = compile([query.spec], target.facts);
  let out = 0;
  const ns = measured(() => {
    const frame = { columns, arena, ordered: false };
    out = runFrame(program, target, frame, { write: () => {} }).events[0];
  }, EVENTS);
  return { ns, out };
}

const condition = trace().filter(duration.gt("20us").and(pid.gt(150)));
const closure = trace().filter((e) => e.duration > 20_000 && e.pid > 150);

// What the guest would have recorded, had its module tested the condition.
const told = compile([condition.count().spec], steerable(target.facts));
const few = repeated(
  recorded(told, target, one),
  Math.round(EVENTS * recorded(told, target, one).length / one.length),
);

const rows: [name: string, ns: number, out: number][] = [
  ["bare decode", bare, EVENTS],
];
for (
  const [name, query, columns] of [
    ["no filter, count()", trace().count(), many],
    ["condition, count()", condition.count(), many],
    ["closure, count()", closure.count(), many],
    ["pushed down, count()", trace().count(), few],
    ["condition, count(comm)", condition.count("comm"), many],
  ] as const
) {
  const { ns, out } = stream(query, columns);
  rows.push([name, ns, out]);
}
console.log(
  `${
    EVENTS.toLocaleString("en-US")
  } events; ns an event, and the ratio to the bare decode`,
);
for (const [name, ns, out] of rows) {
  console.log(
    `${name.padEnd(24)} ${ns.toFixed(1).padStart(7)} ns  ${
      (ns / bare).toFixed(2).padStart(6)
    }  ${String(out).padStart(8)} events`,
  );
}
const speed = bare / (bare + rows[2][1]);
console.log(
  `decode and condition together: ${
    (100 * speed).toFixed(0)
  } % of the bare decode's speed`,
);
