import assert from "node:assert/strict";
import { EventColumns, KIND, PageArena } from "../../ftrace/ring/columns.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { TimeMerge } from "../../ftrace/ring/merge.ts";
import type { TraceMeta } from "./environment.ts";
import { LAYOUT_6_1 } from "../../ftrace/ring/layout_fixture.ts";
import { DEFAULT_TEXT_OPTIONS } from "./options.ts";
import { TEXT } from "../formats/text.ts";
import { RunBuilder } from "../run_builder.ts";
import { type DescribedGuest, writeBuffers } from "../write_buffers.ts";
import type { TraceSource } from "../writer.ts";
import { BARE_META } from "../writer_fixture.ts";

/** The text of rows including the header, as for buffers at rest. */
function textOf(
  columns: EventColumns,
  arena: PageArena,
  guest: DescribedGuest,
  counts: { readonly entries: number; readonly overruns: number },
): { header: string; text: string } {
  const chunks: string[] = [];
  const cpu = {
    cpu: 0,
    events: columns.length,
    skipped: 0,
    overrun: counts.overruns,
    expected: counts.entries,
    lost: 0,
    still: true,
  };
  writeBuffers(
    { columns, arena, cpus: [cpu] },
    guest,
    TEXT.writer((chunk) => chunks.push(String(chunk))),
  );
  const [header, ...rest] = chunks;
  return { header, text: rest.join("") };
}

for (const name of FIXTURES) {
  Deno.test(`${name}: the text agrees with the guest's own, line by line`, () => {
    const fixture = loadFixture(name);
    const { columns, arena } = decodeFixture(fixture);
    const { header, text } = textOf(columns, arena, fixture, fixture);
    assert.ok(columns.length >= 300);
    assert.equal(columns.length, fixture.entries);
    assert.deepEqual(
      (header + text).split("\n"),
      fixture.text.split("\n"),
    );
  });

  Deno.test(`${name}: one event at a time gives the same text`, () => {
    const fixture = loadFixture(name);
    const whole = decodeFixture(fixture);
    const cpus = fixture.pages.map((_, cpu) => decodeFixture(fixture, [cpu]));
    const next = cpus.map(() => 0);
    const counts = { entries: fixture.entries, overruns: 0 };
    const { text: expected } = textOf(
      whole.columns,
      whole.arena,
      fixture,
      counts,
    );
    let got = "";
    const writer = TEXT.writer((chunk) => got += chunk);
    const { meta, options } = fixture;
    const source: TraceSource = { kind: "live", meta, options };
    const runs = new RunBuilder(source, writer);
    writer.begin([source]);
    const order = new TimeMerge(whole.columns).order();
    for (const row of order) {
      const cpu = whole.columns.cpu[row];
      const { columns, arena } = cpus[cpu];
      runs.add(columns, next[cpu]++, arena);
      runs.flush();
    }
    writer.end({ events: runs.count, lost: 0, dropped: 0 });
    assert.equal(got, expected);
  });
}

interface Event {
  readonly ts: number;
  readonly cpu?: number;
  readonly words: readonly number[];
  readonly func?: number;
  readonly depth?: number;
  readonly kind?: number;
  readonly duration?: number;
}

function print(
  events: readonly Event[],
  meta: Partial<TraceMeta> = {},
  options: Partial<typeof DEFAULT_TEXT_OPTIONS> = {},
  prepare?: (columns: EventColumns) => void,
): string {
  const arena = new PageArena(4096);
  arena.acquire();
  const columns = new EventColumns(0n);
  columns.reserve(events.length);
  let at = 0;
  for (const event of events) {
    const row = columns.length++;
    arena.words.set(event.words, at / 4);
    columns.ts[row] = event.ts;
    columns.cpu[row] = event.cpu ?? 0;
    columns.type[row] = event.words[0] & 0xffff;
    columns.pid[row] = event.words[1];
    columns.offset[row] = at;
    columns.size[row] = event.words.length * 4;
    columns.kind[row] = event.kind ?? KIND.other;
    columns.func[2 * row] = event.func ?? 0;
    columns.func[2 * row + 1] = event.func === undefined ? 0 : 0xffffffff;
    columns.depth[row] = event.depth ?? 0;
    columns.duration[row] = event.duration ?? 0;
    at += event.words.length * 4;
  }
  prepare?.(columns);
  const guest = {
    meta: { ...BARE_META, ...meta },
    options: { ...DEFAULT_TEXT_OPTIONS, ...options },
  };
  const counts = { entries: events.length, overruns: 1 };
  return textOf(columns, arena, guest, counts).text;
}

Deno.test("an unknown type is shown as such, including its flags", () => {
  // irqs off, need-resched, hardirq, preempt depth 1, migrate disable 2
  const flags = 0x01 | 0x04 | 0x08;
  assert.equal(
    print([{ ts: 1_234_567_890, words: [700 | flags << 16 | 0x21 << 24, 0] }]),
    "          <idle>-0       [000] dnh12     1.234568: Unknown type 700\n",
  );
});

Deno.test("losses and the start of a buffer are marked", () => {
  const event = (ts: number, cpu: number): Event => ({
    ts,
    cpu,
    words: [700, 5],
  });
  const text = print(
    [event(1000, 0), event(2000, 0), event(3000, 1)],
    {},
    { contextInfo: false },
    (columns) => {
      columns.lost.push({ row: 1, cpu: 0, count: 12 });
      columns.lost.push({ row: 2, cpu: 1, count: -1 });
    },
  );
  assert.equal(
    text,
    "Unknown type 700\n" +
      "CPU:0 [LOST 12 EVENTS]\nUnknown type 700\n" +
      "CPU:1 [LOST EVENTS]\n" +
      "##### CPU 1 buffer started ####\nUnknown type 700\n",
  );
});

const RETURN = 10;
const ENTRY = 11;
const RETADDR_ENTRY = 12;

/** The layout of a newer kernel: arguments, return address, return value. */
const NEWER = {
  ...LAYOUT_6_1,
  types: { ...LAYOUT_6_1.types, graphRetaddrEnt: RETADDR_ENTRY, userStack: 13 },
  graphEntry: { func: 8, depth: 16, size: 20, args: 20, retaddr: 20 },
  graphReturn: { ...LAYOUT_6_1.graphReturn, retval: 16 },
};

Deno.test("return addresses, arguments and return values of newer kernels", () => {
  const args = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0];
  const call = (kind: number, words: readonly number[]): Event => ({
    ts: 0,
    kind,
    func: 64,
    words: [
      kind === KIND.entry ? ENTRY : RETADDR_ENTRY,
      7,
      64,
      -1,
      0,
      ...words,
    ],
  });
  const leave = (lo: number, hi: number): Event => ({
    ts: 0,
    kind: KIND.return,
    func: 64,
    duration: 1500,
    words: [RETURN, 7, 64, -1, lo, hi],
  });
  const graph = {
    ...DEFAULT_TEXT_OPTIONS.graph,
    retval: true,
    retaddr: true,
    duration: false,
    cpu: false,
  };
  const text = print(
    [
      call(KIND.entry, args),
      leave(0xffffffea, 0),
      call(KIND.entryRetaddr, [128, -1, ...args]),
      leave(5, 0),
      call(KIND.entryRetaddr, [128, -1]),
      call(KIND.entry, []),
    ],
    {
      layout: NEWER,
      tracer: "function_graph",
      functionArguments: (name, values) => `${name}: ${values.join(" ")}`,
    },
    { graph },
  );
  assert.equal(
    text,
    "f64(f64: 1 2 3 4 5 6); /* ret=-22 */\n" +
      "f64(f64: 1 2 3 4 5 6); /* <-f128+0x0/0x10 ret=0x5 */\n" +
      "f64() { /* <-f128+0x0/0x10 */\n" +
      "f64() {\n",
  );
});
