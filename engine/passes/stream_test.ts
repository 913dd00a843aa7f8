import assert from "node:assert/strict";
import { EventColumns, KIND, PageArena } from "../ftrace/ring/columns.ts";
import type { TextEnvironment } from "../output/text/environment.ts";
import type { Selection, Stream, SyscallTarget } from "../query/program.ts";
import type { EventLike, SinkSpec } from "../query/spec.ts";
import type { Frame } from "./fields/frame.ts";
import type { CollectSpec } from "./sinks/collect.ts";
import type { CountSpec, CountTable } from "./sinks/count.ts";
import { type RunContext, StreamRun } from "./stream.ts";
import type { Window } from "./windows.ts";

const HIGH = 0xffffffff;

/** An event, or a function's entry or return. */
interface Row {
  readonly ts: number;
  readonly cpu?: number;
  readonly pid?: number;
  readonly type?: number;
  readonly kind?: number;
  /** The low half of the function's address. */
  readonly func?: number;
  /** The high half, if it is not the kernel's. */
  readonly high?: number;
  readonly depth?: number;
  readonly duration?: number;
}

function frameOf(rows: readonly Row[], ordered = true): Frame {
  const columns = new EventColumns(0n);
  columns.reserve(rows.length);
  rows.forEach((row, i) => {
    columns.ts[i] = row.ts;
    columns.cpu[i] = row.cpu ?? 0;
    columns.pid[i] = row.pid ?? 1;
    columns.type[i] = row.type ?? 0;
    columns.kind[i] = row.kind ?? KIND.other;
    columns.func[2 * i] = row.func ?? 0;
    columns.func[2 * i + 1] = row.func === undefined ? 0 : row.high ?? HIGH;
    columns.depth[i] = row.depth ?? 0;
    columns.duration[i] = row.duration ?? 0;
  });
  columns.length = rows.length;
  return { columns, arena: new PageArena(64), ordered };
}

const event = (ts: number, more: Partial<Row> = {}): Row => ({
  ts,
  type: 5,
  ...more,
});
const exit = (ts: number, func: number, more: Partial<Row> = {}): Row => ({
  ts,
  func,
  kind: KIND.return,
  ...more,
});

const EVENTS: Selection = { via: "events", ids: [5] };
const COUNT: CountSpec = { kind: "count", by: [] };
const COLLECT: CollectSpec = { kind: "collect" };

const target = (name: string, low: number) => ({
  name,
  addresses: [BigInt(HIGH) << 32n | BigInt(low)],
});

/** A stream that has begun, and the windows that it has shown. */
class Running {
  readonly run: StreamRun;
  readonly windows: string[] = [];
  written = "";
  readonly #origin: number;

  constructor(
    select: Selection,
    more: Partial<Omit<Stream, "select" | "sinks">> & {
      readonly sinks?: readonly SinkSpec[];
    } = {},
    origin = 0,
  ) {
    this.#origin = origin;
    const context: RunContext = {
      names: {
        func: (lo) => `f${lo}`,
        short: (name) => name,
        foreign: () => false,
        comm: (pid) => `task${pid}`,
      },
      format: () => undefined,
      graphRetval: -1,
      env: {} as TextEnvironment,
      process: () => () => true,
      userString: undefined,
      write: (text) => this.written += text,
      window: (text) => this.windows.push(text),
    };
    const sinks = (more.sinks ?? [COUNT]).map((sink, query) => ({
      sink,
      query,
    }));
    const stream = {
      title: "test",
      fields: new Map([["ts", "time"], ["pid", "number"], [
        "func",
        "function",
      ]]),
      filters: [],
      from: [],
      until: [],
      markers: new Map(),
      every: undefined,
      inside: false,
      callers: true,
      ...more,
      select,
      sinks,
    } as unknown as Stream;
    this.run = new StreamRun(stream, context);
  }

  take(rows: readonly Row[], ordered = true): this {
    this.run.take(frameOf(rows, ordered), this.#origin);
    return this;
  }

  finish(): this {
    this.run.finish(this.#origin);
    return this;
  }

  count(sink = 0): number {
    return (this.run.result(sink) as CountTable).total;
  }

  /** The closed windows: from, to, and number of events. */
  counts(): [from: number, to: number, count: number][] {
    return (this.run.result(0) as Window<CountTable>[]).map((
      { from, to, result },
    ) => [from, to, result.total]);
  }

  /** The times of the events that were collected. */
  times(sink = 0): unknown[] {
    return (this.run.result(sink) as EventLike[]).map(({ ts }) => ts);
  }
}

Deno.test("a stream of events takes those with its ids", () => {
  const running = new Running(EVENTS)
    .take([event(1), event(2, { type: 6 }), event(3)])
    .take([])
    .take([event(4, { type: 65535 }), event(5)]);
  assert.deepEqual([running.count(), running.run.events], [3, 3]);
});

Deno.test("a batch with more rows than any before, and then a small one", () => {
  const many = Array.from({ length: 10_000 }, (_, i) => event(i));
  const running = new Running(EVENTS).take([event(0)]).take(many)
    .take([event(10_001)]);
  assert.equal(running.count(), 10_002);
});

Deno.test("returns of one, of several and of all functions", () => {
  const rows = [
    exit(1, 0x10),
    exit(2, 0x20),
    exit(3, 0x30),
    exit(4, 0x10, { kind: KIND.entry }),
    // Event rows have no function, whatever their columns hold.
    event(5, { func: 0x10 }),
  ];
  const taken = (
    functions: Stream["select"] extends infer S
      ? S extends { functions: infer F } ? F : never
      : never,
  ) =>
    new Running({
      via: "graph returns",
      functions,
      under: [],
      depth: undefined,
    }, { sinks: [COLLECT] }).take(rows).times();
  assert.deepEqual(taken(undefined), [1, 2, 3]);
  assert.deepEqual(taken([target("a", 0x10)]), [1]);
  assert.deepEqual(taken([target("a", 0x10), target("b", 0x30)]), [1, 3]);
  assert.deepEqual(taken([]), []);
});

Deno.test("a function of another address space with the same low half is not taken", () => {
  const rows = [exit(1, 0x10, { high: 0x7fff }), exit(2, 0x10)];
  const one = new Running({
    via: "graph returns",
    functions: [target("a", 0x10)],
    under: [],
    depth: undefined,
  }, { sinks: [COLLECT] }).take(rows);
  assert.deepEqual(one.times(), [2]);
});

Deno.test("rows of several CPUs reach sinks and functions in time order", () => {
  const seen: unknown[] = [];
  const running = new Running(EVENTS, {
    sinks: [COLLECT],
    filters: [{
      kind: "closure",
      test: ({ ts }) => {
        seen.push(ts);
        return ts !== 3;
      },
    }],
  }).take(
    [
      event(2, { cpu: 0 }),
      event(4, { cpu: 0 }),
      event(1, { cpu: 1 }),
      event(3, { cpu: 1 }),
    ],
    false,
  );
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.deepEqual(running.times(), [1, 2, 4]);
});

Deno.test("expressions and functions must all hold, and functions see only what expressions left", () => {
  let asked = 0;
  const running = new Running(EVENTS, {
    sinks: [COLLECT],
    filters: [
      {
        kind: "closure",
        test: ({ pid }) => {
          asked++;
          return pid !== 3;
        },
      },
      {
        kind: "expression",
        node: { op: "compare", field: "pid", is: "gt", value: 1 },
      },
    ],
  }).take([1, 2, 3, 4].map((pid) => event(pid, { pid })));
  assert.deepEqual([running.times(), asked], [[2, 4], 3]);
});

Deno.test("all sinks of a stream get the same events", () => {
  const running = new Running(EVENTS, {
    sinks: [COUNT, { kind: "collect", limit: 1 } as CollectSpec],
  }).take([event(1), event(2)]);
  assert.deepEqual([running.count(0), running.times(1)], [2, [1]]);
  assert.equal(running.run.text(0), "2\n");
});

Deno.test("a stream that has ended takes nothing more", () => {
  const running = new Running(EVENTS, {
    until: [{ kind: "count", events: 2 }],
  }).take([event(1), event(2), event(3)]);
  assert.equal(running.run.done, true);
  running.take([event(4)]);
  assert.deepEqual([running.count(), running.run.events], [2, 2]);
});

Deno.test("with `every`, each window has the events before its end", () => {
  const running = new Running(EVENTS, { every: 10 }, 100)
    .take([event(100), event(109), event(110), event(119)])
    .take([event(121)])
    .finish();
  assert.deepEqual(running.counts(), [[0, 10, 2], [10, 20, 2], [20, 30, 1]]);
  assert.deepEqual(running.windows, [
    "-- 0.000 s\n2\n",
    "-- 0.000 s\n2\n",
    "-- 0.000 s\n1\n",
  ]);
});

Deno.test("windows without events are left out, and the next ones stay aligned", () => {
  const running = new Running(EVENTS, { every: 10 })
    .take([event(5)])
    .take([event(47), event(52)])
    .finish();
  assert.deepEqual(running.counts(), [[0, 10, 1], [40, 50, 1], [50, 60, 1]]);
});

Deno.test("a window ends when other events are later, though none is the stream's", () => {
  const running = new Running(EVENTS, { every: 10 }).take([event(5)]);
  assert.deepEqual([running.counts(), running.run.text(0)], [[], "1\n"]);
  running.take([event(30, { type: 6 })]);
  assert.deepEqual(running.counts(), [[0, 10, 1]]);
  assert.equal(running.run.text(0), "");
  // Also if the latest row is not the last one.
  running.take([event(35, { cpu: 1 }), event(31)], false);
  running.take([event(42, { type: 6, cpu: 0 }), event(36, { cpu: 1 })], false);
  assert.deepEqual(running.counts(), [[0, 10, 1], [30, 40, 3]]);
});

Deno.test("a late event of an earlier window counts in the current one", () => {
  const running = new Running(EVENTS, { every: 10 })
    .take([event(5), event(12)])
    .take([event(9)])
    .finish();
  assert.deepEqual(running.counts(), [[0, 10, 1], [10, 20, 2]]);
});

Deno.test("a run that never began, or had no events, has no windows", () => {
  const none = new Running(EVENTS, { every: 10 }, NaN).finish();
  assert.deepEqual([none.counts(), none.windows], [[], []]);
  const empty = new Running(EVENTS, { every: 10 }).take([]).finish();
  assert.deepEqual(empty.counts(), []);
});

const CALLS: Selection = {
  via: "graph calls",
  functions: [target("a", 0x10)],
  under: [],
  depth: undefined,
};

Deno.test("calls are put together across CPUs and batches, in time order", () => {
  const enter = (ts: number, more: Partial<Row> = {}): Row => ({
    ts,
    func: 0x10,
    kind: KIND.entry,
    ...more,
  });
  const running = new Running(CALLS, { sinks: [COLLECT] })
    // The task moves from CPU 1 to CPU 0; CPU 0's rows come first.
    .take([exit(4, 0x10, { cpu: 0 }), enter(1, { cpu: 1 })], false);
  assert.deepEqual([running.times(), running.run.open], [[4], 0]);
  running.take([enter(10), event(11)]);
  assert.equal(running.run.open, 1);
  running.take([exit(12, 0x10)]);
  assert.deepEqual([running.times(), running.run.open], [[4, 12], 0]);
});

Deno.test("a batch may hold more calls than there was room for", () => {
  const rows = Array.from({ length: 20_000 }, (_, i): Row => ({
    ts: i,
    func: 0x10,
    kind: i % 2 === 0 ? KIND.entry : KIND.return,
  }));
  assert.equal(new Running(CALLS).take(rows).count(), 10_000);
});

Deno.test("system calls are put together from their events", () => {
  const call: SyscallTarget = {
    ...target("sys_read", 0x40),
    enter: 7,
    exit: 8,
    args: ["fd"],
    types: ["unsigned int"],
  };
  const running = new Running({ via: "syscall events", calls: [call] }, {
    sinks: [COLLECT],
  });
  running.take([
    // Its enter event came before the trace.
    event(1, { type: 8 }),
    event(2, { type: 7, pid: 9 }),
    // A function's row whose id is a call's, by chance.
    event(3, { type: 7, kind: KIND.entry }),
    event(4, { type: 8 }),
  ]);
  assert.deepEqual([running.times(), running.run.open], [[], 1]);
  running.take([event(5, { type: 8, pid: 9 })]);
  assert.deepEqual([running.times(), running.run.open], [[5], 0]);
});
