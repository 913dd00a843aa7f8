import assert from "node:assert/strict";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { Stream } from "../query/program.ts";
import type { EventLike, Moment } from "../query/spec.ts";
import type { EventObject } from "./fields/event_object.ts";
import type { Frame } from "./fields/frame.ts";
import { Limits } from "./limits.ts";

/** Rows with these times and types, in time order. */
function frameOf(...rows: readonly (readonly [ts: number, type: number])[]) {
  const columns = new EventColumns(0n);
  columns.reserve(rows.length);
  rows.forEach(([ts, type], row) => {
    columns.ts[row] = ts;
    columns.type[row] = type;
  });
  columns.length = rows.length;
  return { columns, arena: new PageArena(64), ordered: true };
}

/** The event object here contains only the time of the row. */
const event = {
  move: (frame: Frame, row: number) => ({ ts: frame.columns.ts[row] }),
} as unknown as EventObject;

const at = (ns: number): Moment => ({
  kind: "closure",
  test: (seen: EventLike) => seen.ts === ns,
});

/** Times of the rows that pass, by batch, and whether the stream had ended. */
function passed(
  stream: Partial<Stream>,
  ...frames: ReturnType<typeof frameOf>[]
): [times: number[], done: boolean][] {
  const limits = new Limits(
    { from: [], until: [], markers: new Map(), ...stream } as Stream,
  );
  return frames.map((frame) => {
    limits.scan(frame, 100);
    const rows = Uint32Array.from(
      { length: frame.columns.length },
      (_, i) => i,
    );
    const left = limits.cut(frame, rows, rows.length, event);
    return [
      [...rows.subarray(0, left)].map((row) => frame.columns.ts[row]),
      limits.done,
    ];
  });
}

const A = frameOf([101, 1], [105, 2], [110, 1]);
const B = frameOf([111, 1], [120, 3], [130, 1]);

Deno.test("without limits, all rows pass", () => {
  assert.deepEqual(passed({}, A, B), [
    [[101, 105, 110], false],
    [[111, 120, 130], false],
  ]);
});

Deno.test("times are relative to the start of the trace", () => {
  assert.deepEqual(passed({ until: [{ kind: "time", ns: 11 }] }, A, B), [
    [[101, 105, 110], false],
    [[111], true],
  ]);
  assert.deepEqual(
    passed({ from: [{ kind: "time", ns: 5 }] }, A, B),
    [[[105, 110], false], [[111, 120, 130], false]],
  );
});

Deno.test("the earliest end applies, whether it is a time or an event", () => {
  const until: Moment[] = [
    { kind: "count", events: 4 },
    { kind: "time", ns: 25 },
  ];
  assert.deepEqual(passed({ until }, A, B), [
    [[101, 105, 110], false],
    [[111], true],
  ]);
  assert.deepEqual(passed({ until: [...until, at(105)] }, A, B), [
    [[101, 105], true],
    [[], true],
  ]);
});

Deno.test("an awaited event begins or ends the stream, and is part of it", () => {
  const begin: Moment = { kind: "event", name: { name: "a" } };
  const end: Moment = { kind: "event", name: { name: "b" } };
  const markers = new Map([[begin, [2]], [end, [1, 3]]]);
  // The end event is searched for only after the start, so 101 does not end it.
  assert.deepEqual(passed({ from: [begin], until: [end], markers }, A, B), [
    [[105, 110], false],
    [[], true],
  ]);
  assert.deepEqual(passed({ from: [at(110)] }, A, B), [
    [[110], false],
    [[111, 120, 130], false],
  ]);
});

Deno.test("a signal ends the stream immediately", () => {
  const ending = new AbortController();
  const until: Moment[] = [{ kind: "signal", signal: ending.signal }];
  ending.abort();
  assert.deepEqual(passed({ until }, A), [[[], true]]);
});
