import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { BARE_GUEST, BARE_META } from "../writer_fixture.ts";
import { EventRun, type OutputSink } from "../writer.ts";
import { KIND } from "../../ftrace/ring/columns.ts";
import {
  type CallEvent,
  callRows,
  type ExpectedStack,
  expectedStacks,
  written,
} from "./call_fixture.ts";
import { FOLDED_FORMAT } from "./folded.ts";
import { PPROF } from "./pprof.ts";
import { NumberLists } from "./number_lists.ts";
import { SPEEDSCOPE, SpeedscopeWriter } from "./speedscope.ts";
import { type StackTime, StackTimes } from "./stack_times.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** `a;b;c` and ns, from the lines of the format. */
function readFolded(bytes: Uint8Array): Map<string, number> {
  const stacks = new Map<string, number>();
  for (const line of text(bytes).trimEnd().split("\n")) {
    const [, stack, ns] = /^(.*) (\d+)$/.exec(line)!;
    stacks.set(stack, (stacks.get(stack) ?? 0) + Number(ns));
  }
  return stacks;
}

/** The same, and calls, from a profile. */
function readPprof(bytes: Uint8Array): Map<string, ExpectedStack> {
  const profile = Profile.decode(gunzipSync(bytes));
  const { strings } = profile.stringTable;
  const name = (index: number | bigint) => strings[Number(index)];
  assert.deepEqual(
    profile.sampleType.map(({ type, unit }) => [name(type), name(unit)]),
    [["calls", "count"], ["time", "nanoseconds"]],
  );
  const functions = new Map(
    profile.function.map((each) => [Number(each.id), name(each.name)]),
  );
  const locations = new Map(
    profile.location.map((each) => [
      Number(each.id),
      functions.get(Number(each.line[0].functionId)),
    ]),
  );
  return new Map(profile.sample.map(({ locationId, value, label }) => {
    const thread = label.find((each) => name(each.key) === "thread")!;
    const frames = locationId.map((id) => locations.get(Number(id)));
    return [
      [name(thread.str), ...frames.reverse()].join(";"),
      { calls: Number(value[0]), self: Number(value[1]) },
    ];
  }));
}

/**
 * What speedscope's file-format-schema.json (npm package speedscope 1.25.0)
 * says about evented profiles; objects have no other members.
 */
const Speedscope = z.strictObject({
  $schema: z.literal("https://www.speedscope.app/file-format-schema.json"),
  exporter: z.string(),
  profiles: z.array(z.strictObject({
    type: z.literal("evented"),
    name: z.string(),
    unit: z.literal("nanoseconds"),
    startValue: z.number(),
    endValue: z.number(),
    events: z.array(z.strictObject({
      type: z.enum(["O", "C"]),
      frame: z.number(),
      at: z.number(),
    })),
  })),
  shared: z.strictObject({
    frames: z.array(z.strictObject({ name: z.string() })),
  }),
});

/** Number of calls of each stack; checks that calls are nested, in time order. */
function readSpeedscope(bytes: Uint8Array) {
  const { profiles, shared } = Speedscope.parse(JSON.parse(text(bytes)));
  const stacks = new Map<string, { calls: number; ns: number }>();
  for (const { name, startValue, endValue, events } of profiles) {
    const open: { frame: number; at: number; stack: string }[] = [];
    let last = startValue;
    for (const { type, frame, at } of events) {
      assert.ok(at >= last && at <= endValue, `${name}: ${at}`);
      last = at;
      const stack = `${open.at(-1)?.stack ?? name};${
        shared.frames[frame].name
      }`;
      if (type === "O") {
        open.push({ frame, at, stack });
        continue;
      }
      const call = open.pop()!;
      assert.equal(call.frame, frame);
      const sum = stacks.get(call.stack) ?? { calls: 0, ns: 0 };
      stacks.set(call.stack, sum);
      sum.calls++;
      sum.ns += at - call.at;
    }
    assert.equal(open.length, 0);
  }
  return stacks;
}

for (const name of FIXTURES.filter((name) => name.endsWith("graph"))) {
  Deno.test(`${name}: all formats of calls have the times of the call graph`, () => {
    const fixture = loadFixture(name);
    const rows = decodeFixture(fixture);
    const { columns } = rows;
    const { stacks, outermost } = expectedStacks(
      columns,
      (row) =>
        columns.pid[row] === 0
          ? `swapper/${columns.cpu[row]}-0`
          : `${fixture.meta.comm(columns.pid[row]) ?? "<...>"}-${
            columns.pid[row]
          }`,
      (row) =>
        fixture.meta.symbols.ps(
          columns.func[2 * row],
          columns.func[2 * row + 1],
        ),
    );
    const whole = new Map([...stacks].filter(([, { calls }]) => calls > 0));
    assert.ok(whole.size > 50, `${whole.size} stacks`);
    const folded = readFolded(written(FOLDED_FORMAT, rows, fixture));
    assert.deepEqual(
      folded,
      new Map([...whole].map(([stack, { self }]) => [stack, self])),
    );
    assert.equal([...folded.values()].reduce((a, b) => a + b), outermost);
    assert.deepEqual(readPprof(written(PPROF, rows, fixture)), whole);
    const spans = readSpeedscope(written(SPEEDSCOPE, rows, fixture));
    for (const [stack, { calls }] of whole) {
      assert.ok((spans.get(stack)?.calls ?? 0) >= calls, stack);
    }
  });
}

/** `a` calls `b` twice; `c` does not return; a return of `d` comes first. */
const CALLS: readonly CallEvent[] = [
  { func: 4, depth: 0, ts: 1, duration: 99 },
  { func: 1, depth: 0, ts: 10 },
  { func: 2, depth: 1, ts: 20 },
  { func: 9, depth: 0, ts: 22, pid: 8, cpu: 1 },
  { func: 2, depth: 1, ts: 30, duration: 10 },
  { func: 3, depth: 1, ts: 40 },
  { func: 2, depth: 2, ts: 50 },
  { func: 2, depth: 2, ts: 55, duration: 4 },
  { func: 1, depth: 0, ts: 110, duration: 100 },
  { func: 9, depth: 0, ts: 122, duration: 100, pid: 8, cpu: 1 },
];

Deno.test("only calls that are there from entry to return take time", () => {
  const folded = readFolded(written(FOLDED_FORMAT, callRows(CALLS)));
  assert.deepEqual([...folded].sort(), [
    ["<...>-7;f1", 86],
    ["<...>-7;f1;f2", 10],
    ["<...>-7;f1;f3;f2", 4],
    ["<...>-8;f9", 100],
  ]);
  const profile = readPprof(written(PPROF, callRows(CALLS)));
  assert.deepEqual(profile.get("<...>-7;f1;f3;f2"), { calls: 1, self: 4 });
  assert.equal(profile.has("<...>-7;f1;f3"), false);
});

Deno.test("speedscope: a call whose return is missing ends with its caller", () => {
  const spans = readSpeedscope(written(SPEEDSCOPE, callRows(CALLS)));
  assert.deepEqual([...spans].sort(), [
    ["<...>-7;f1", { calls: 1, ns: 100 }],
    ["<...>-7;f1;f2", { calls: 1, ns: 10 }],
    ["<...>-7;f1;f3", { calls: 1, ns: 70 }],
    ["<...>-7;f1;f3;f2", { calls: 1, ns: 5 }],
    ["<...>-8;f9", { calls: 1, ns: 100 }],
  ]);
});

Deno.test("idle threads are told apart by their CPUs", () => {
  const rows = callRows([0, 1, 0, 1].map((cpu, i) => ({
    func: 1,
    depth: 0,
    ts: i,
    pid: 0,
    cpu,
    ...(i > 1 ? { duration: 2 } : {}),
  })));
  assert.deepEqual([...readFolded(written(FOLDED_FORMAT, rows)).keys()], [
    "swapper/0-0;f1",
    "swapper/1-0;f1",
  ]);
});

Deno.test("stacks that are passed on early add up", () => {
  const { columns } = callRows([...CALLS, ...CALLS]);
  const read = (most?: number) => {
    const sums = new Map<string, [number, number]>();
    let parts = 0;
    const times = new StackTimes(
      ({ pid, functions, calls, self }: StackTime) => {
        parts++;
        const key = `${pid}: ${functions.join(" ")}`;
        const [c, s] = sums.get(key) ?? [0, 0];
        sums.set(key, [c + calls, s + self]);
      },
      most,
    );
    times.take(columns, 0, columns.length);
    times.calls.end();
    times.flush();
    return { parts, sums: [...sums].sort() };
  };
  const once = read();
  assert.equal(once.parts, once.sums.length);
  const often = read(2);
  assert.ok(often.parts > once.parts);
  assert.deepEqual(often.sums, once.sums);
});

Deno.test("hostile names stay names, and depths that cannot be are bounded", () => {
  const hostile = {
    ...BARE_GUEST,
    meta: {
      ...BARE_META,
      comm: () => 'a;b "\n\x1b[31m',
      symbols: { ...BARE_META.symbols, ps: () => "f;g\u009b" },
    },
  };
  const rows = callRows([
    ...Array.from({ length: 2000 }, (_, i) => ({ func: 1, depth: i, ts: i })),
    { func: 1, depth: -5, ts: 3000 },
    { func: 1, depth: -5, ts: 2999, duration: 1 },
  ]);
  assert.equal(
    text(written(FOLDED_FORMAT, rows, hostile)),
    'a:b "\\x0a\\x1b[31m-7;f:g\\x9b 1\n',
  );
  const json = text(written(SPEEDSCOPE, rows, hostile));
  assert.ok(!json.includes("\x1b") && !json.includes("\x9b"));
  assert.equal(JSON.parse(json).profiles[0].name, 'a;b "\n\x1b[31m-7');
});

Deno.test("a trace without calls is an error that says what to do", () => {
  for (const format of [FOLDED_FORMAT, PPROF, SPEEDSCOPE]) {
    assert.throws(
      () => written(format, callRows(CALLS.slice(0, 3))),
      (error) => {
        assert.ok(error instanceof XftraceError);
        assert.match(
          error.message,
          new RegExp(`the format ${format.name} .*text$`),
        );
        return true;
      },
    );
  }
});

Deno.test("speedscope: what does not fit into memory is the same", () => {
  const rows = callRows(
    Array.from({ length: 4000 }, (_, i) => ({
      func: i % 4 < 2 ? 1 : 2,
      depth: 0,
      ts: 300 * i,
      pid: 1 + (i >> 2) % 9,
      ...(i % 2 === 0 ? {} : { duration: 300 }),
    })),
  );
  const few = {
    ...SPEEDSCOPE,
    writer: (sink: OutputSink) =>
      new SpeedscopeWriter(sink, new NumberLists(1024)),
  };
  assert.equal(text(written(few, rows)), text(written(SPEEDSCOPE, rows)));
});

Deno.test("many different stacks are all kept", () => {
  const events = Array.from({ length: 30_000 }, (_, i) => [
    { func: i, depth: 0, ts: 2 * i },
    { func: i, depth: 0, ts: 2 * i + 1, duration: i },
  ]).flat();
  const lines = text(written(FOLDED_FORMAT, callRows(events))).trimEnd()
    .split("\n");
  assert.deepEqual(
    lines,
    Array.from({ length: 30_000 }, (_, i) => `<...>-7;f${i} ${i}`),
  );
});

Deno.test("what formats of calls cannot carry is said with numbers", () => {
  const source = { kind: "buffers", ...BARE_GUEST } as const;
  const { columns, arena } = callRows([
    // A whole call, a return without its entry, an entry without its return.
    { func: 1, depth: 0, ts: 1 },
    { func: 1, depth: 0, ts: 2, duration: 1 },
    { func: 2, depth: 0, ts: 3, duration: 1 },
    { func: 3, depth: 0, ts: 4 },
    { func: 0, depth: 0, ts: 5 },
  ]);
  columns.kind[4] = KIND.other;
  for (
    const [format, cut] of [
      [FOLDED_FORMAT, "are left out"],
      [PPROF, "are left out"],
      [SPEEDSCOPE, "end with their caller, or with the trace"],
    ] as const
  ) {
    const writer = format.writer(() => {});
    writer.begin([source]);
    writer.lost({ source, cpu: 0, count: 3, before: 1n });
    const run = new EventRun(source, columns, arena);
    run.to = columns.length;
    writer.events(run);
    writer.end({ events: 5, lost: 3, dropped: 0 });
    const { name } = format;
    assert.deepEqual(writer.leftOut?.(), [
      `events that are no calls of functions are left out, as the format ${name} shows nothing else: 1`,
      `calls whose return is missing ${cut}: 1`,
      "returns whose entry is missing are left out: 1",
      `places where events are missing are not marked, as the format ${name} cannot: 1`,
    ]);
  }
});

Deno.test("speedscope: threads beyond number are left out, and that is said", () => {
  const source = { kind: "buffers", ...BARE_GUEST } as const;
  const most = 131_072;
  const { columns, arena } = callRows(
    Array.from({ length: most + 2 }, (_, i) => [
      { func: 1, depth: 0, ts: 2 * i, pid: i + 1 },
      { func: 1, depth: 0, ts: 2 * i + 1, pid: i + 1, duration: 1 },
    ]).flat(),
  );
  let json = "";
  const writer = SPEEDSCOPE.writer((chunk) => json += chunk);
  writer.begin([source]);
  const run = new EventRun(source, columns, arena);
  run.to = columns.length;
  writer.events(run);
  writer.end({ events: columns.length, lost: 0, dropped: 0 });
  assert.equal(JSON.parse(json).profiles.length, most);
  assert.deepEqual(writer.leftOut?.(), [
    "calls of threads after the first 131,072 are left out: 2",
  ]);
});
