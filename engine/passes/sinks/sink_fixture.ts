/**
 * Rows of calls without a guest, and a stand-in for a stream, for the tests of
 * sinks.
 *
 * @module
 */
import { EventColumns, PageArena } from "../../ftrace/ring/columns.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { SinkSpec } from "../../query/spec.ts";
import { type Accessor, COLUMN_FIELDS, textByKey } from "../fields/access.ts";
import { EventObject } from "../fields/event_object.ts";
import { CallColumns, type Frame, type Inside } from "../fields/frame.ts";
import type { Sink, SinkContext, SinkKind } from "./sink.ts";

/** A call as written in tests; values not given are 0. */
export interface TestCall {
  readonly cpu?: number;
  readonly pid?: number;
  readonly duration?: number;
  readonly inside?: Inside;
}

/** The command names of the threads in tests. */
const COMMS: Readonly<Record<number, string>> = {
  1: "init",
  7: "sshd",
  // A frame, a line and a colour of its own.
  66: "a;b\n\x1b[31m",
};

const FIELDS: ReadonlyMap<string, FieldKind> = new Map([
  ["ts", "time"],
  ["cpu", "number"],
  ["pid", "number"],
  ["comm", "text"],
  ["duration", "duration"],
]);

/** A frame with these calls, each ending one ns after the one before. */
export function callsFrame(calls: readonly TestCall[]): Frame {
  const columns = new EventColumns(0n);
  columns.reserve(calls.length);
  const details = new CallColumns(calls.length);
  calls.forEach(({ cpu = 0, pid = 0, duration = 0, inside }, row) => {
    columns.ts[row] = row;
    columns.cpu[row] = cpu;
    columns.pid[row] = pid;
    columns.duration[row] = duration;
    details.inside[row] = inside;
  });
  columns.length = calls.length;
  return { columns, arena: new PageArena(64), calls: details, ordered: true };
}

/** A running sink, and what it has written so far. */
export interface Working<R> {
  readonly sink: Sink<R>;
  written: string;
  /** Passes it calls, all in one batch. */
  take(calls: readonly TestCall[]): void;
}

/** Starts a sink. Lines are `row N`, functions `fN`. */
export function working<S extends SinkSpec, R>(
  kind: SinkKind<S, R>,
  spec: S,
): Working<R> {
  const access: Accessor = (path) =>
    path === "comm"
      ? textByKey(
        "text",
        (frame, row) => frame.columns.pid[row],
        (frame, row) => COMMS[frame.columns.pid[row]],
      )
      : COLUMN_FIELDS[path];
  const context: SinkContext = {
    access,
    fields: FIELDS,
    names: {
      func: (lo) => `f${lo}`,
      short: (name) => name,
      foreign: () => false,
      comm: () => "",
    },
    event: new EventObject(FIELDS, access),
    line: (_frame, row) => `row ${row}\n`,
    write: (text) => {
      all.written += text;
    },
  };
  const all: Working<R> = {
    sink: kind.make(spec, context),
    written: "",
    take(calls) {
      const rows = Uint32Array.from(calls.keys());
      all.sink.take(callsFrame(calls), rows, rows.length);
    },
  };
  return all;
}

/** What a kind declares: its text, and the fields that it uses. */
export function said<S extends SinkSpec>(
  kind: SinkKind<S>,
  spec: S,
): [text: string, fields: string] {
  const fields = (kind.fields?.(spec) ?? []).map(({ path, as }) =>
    `${path} ${as}`
  );
  return [kind.text(spec), fields.join(", ")];
}

/** What happened within a call: rows of function, depth and duration. */
export function insideOf(
  ...rows: readonly (readonly [func: number, depth: number, ns: number])[]
): Inside {
  return {
    length: rows.length,
    func: Uint32Array.from(rows.flatMap(([func]) => [func, 0])),
    depth: Int32Array.from(rows, ([, depth]) => depth),
    ts: Float64Array.from(rows.keys()),
    duration: Float64Array.from(rows, ([, , ns]) => ns),
  };
}
