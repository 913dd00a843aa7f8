/**
 * Runs a stream: takes rows and feeds the sinks.
 *
 * @module
 */
import { AddressMap } from "../memory/address_map.ts";
import { KIND, type PageArena } from "../ftrace/ring/columns.ts";
import type { TextEnvironment } from "../output/text/environment.ts";
import { streamAccess, type StreamContext } from "./fields/stream_access.ts";
import { EventLines } from "./event_line.ts";
import { EventObject } from "./fields/event_object.ts";
import { compileFilter, type ProcessTest, type RowFilter } from "./filter.ts";
import { callFrame, type Frame } from "./fields/frame.ts";
import { FunctionSet } from "./function_set.ts";
import { GraphCalls } from "./graph_calls.ts";
import { Limits } from "./limits.ts";
import { orderRows } from "./order.ts";
import type { Stream, SyscallTarget } from "../query/program.ts";
import { sinkKind } from "./sinks/all.ts";
import type { Sink } from "./sinks/sink.ts";
import type { EventLike } from "../query/spec.ts";
import { type Window, windowHeading } from "./windows.ts";
import { SyscallCalls, type UserString } from "./syscall_calls.ts";

/** Minimum number of rows for which there is room. */
const FEWEST_ROWS = 4096;

/** What all streams share. */
export interface RunContext extends Omit<StreamContext, "select"> {
  readonly env: TextEnvironment;
  readonly process: ProcessTest;
  readonly userString: UserString | undefined;
  /** Shows text immediately. */
  write(text: string): void;
  /** Shows the text of a window that has ended. */
  window(text: string): void;
}

/** A running stream. */
export class StreamRun {
  readonly stream: Stream;
  /** Number of events that reached the sinks. */
  events = 0;
  readonly sinks: readonly Sink[];
  readonly #context: RunContext;
  readonly #filters: readonly RowFilter[];
  readonly #closures: readonly ((event: EventLike) => boolean)[];
  readonly #functions: FunctionSet | undefined;
  readonly #graph: GraphCalls | undefined;
  readonly #syscalls: SyscallCalls | undefined;
  readonly #ids: Uint8Array | undefined;
  readonly #event: EventObject;
  readonly #limits: Limits;
  #out: ReturnType<typeof callFrame> | undefined;
  #rows = new Uint32Array(0);
  #windowEnd = NaN;
  /** Whether the current window has had events. */
  #filled = false;
  /** The closed windows of each sink. */
  readonly #windows: Window<unknown>[][];

  constructor(stream: Stream, context: RunContext) {
    this.stream = stream;
    this.#context = context;
    const { select } = stream;
    const scope: StreamContext = { ...context, select };
    const access = streamAccess(scope);
    this.#event = new EventObject(stream.fields, access);
    const lines = new EventLines(scope, access, context.env);
    this.sinks = stream.sinks.map(({ sink }) =>
      sinkKind(sink).make(sink, {
        access,
        fields: stream.fields,
        names: context.names,
        event: this.#event,
        line: (frame, row) => lines.line(frame, row),
        write: (text) => context.write(text),
      })
    );
    this.#windows = this.sinks.map(() => []);
    this.#filters = stream.filters.flatMap((filter) =>
      filter.kind === "expression"
        ? [compileFilter(filter.node, {
          access,
          process: context.process,
          functionName: (name) => context.names.short(name),
        })]
        : []
    );
    this.#closures = stream.filters.flatMap((filter) =>
      filter.kind === "closure" ? [filter.test] : []
    );
    this.#limits = new Limits(stream);
    if (select.via === "events") {
      this.#ids = new Uint8Array(65536);
      for (const id of select.ids) this.#ids[id] = 1;
    } else if (select.via === "syscall events") {
      this.#syscalls = new SyscallCalls(select.calls, context.userString);
    } else {
      this.#functions = select.functions === undefined
        ? undefined
        : new FunctionSet(select.functions);
      if (select.via !== "graph returns") {
        const module = select.via === "module calls";
        this.#graph = new GraphCalls({
          functions: this.#functions,
          under: select.under.length === 0
            ? undefined
            : new FunctionSet(select.under),
          depth: select.depth,
          inside: stream.inside,
          // Calls within others are part of those already.
          outermost: stream.sinks.every(({ sink }) =>
            sinkKind(sink).inside === true
          ),
          // The module records callers in any case.
          callers: module || stream.callers,
          ...(module ? { syscall: syscallIndex(select.calls) } : {}),
        });
      }
    }
  }

  /** Whether the stream has ended. */
  get done(): boolean {
    return this.#limits.done;
  }

  /** Number of calls that were left out of others because those held too many. */
  get cut(): number {
    return this.#graph?.cut ?? 0;
  }

  /** Number of calls that have not returned. */
  get open(): number {
    return this.#graph?.open ?? this.#syscalls?.open ?? 0;
  }

  /**
   * Takes a batch of raw events.
   *
   * @param origin time at which the run began, in ns since the columns' epoch
   */
  take(frame: Frame, origin: number): void {
    if (this.done) return;
    const { columns } = frame;
    if (this.#rows.length < columns.length) {
      this.#rows = new Uint32Array(Math.max(columns.length, FEWEST_ROWS));
    }
    this.#limits.scan(frame, origin);
    const rows = this.#rows;
    let n = this.#select(frame, rows);
    let source = frame;
    if (this.#graph !== undefined || this.#syscalls !== undefined) {
      if (!frame.ordered) orderRows(columns, rows, n);
      source = this.#assemble(frame, rows, n);
      n = source.columns.length;
      if (this.#rows.length < n) this.#rows = new Uint32Array(n);
      for (let i = 0; i < n; i++) this.#rows[i] = i;
    }
    const { every } = this.stream;
    if (every !== undefined) {
      // A window can end without a later event.
      if (Number.isNaN(this.#windowEnd)) this.#windowEnd = origin + every;
      this.#deliver(source, this.#rows, n, origin);
      if (!this.done) this.#pass(latest(frame), every, origin);
    } else this.#deliver(source, this.#rows, n, origin);
  }

  #select(frame: Frame, rows: Uint32Array): number {
    const { columns } = frame;
    const { kind, type } = columns;
    const { length } = columns;
    let n = 0;
    if (this.#ids !== undefined) {
      const ids = this.#ids;
      for (let row = 0; row < length; row++) {
        rows[n] = row;
        n += ids[type[row]];
      }
      return n;
    }
    if (this.#syscalls !== undefined) {
      const syscalls = this.#syscalls;
      for (let row = 0; row < length; row++) {
        if (kind[row] === KIND.other && syscalls.asks(type[row])) {
          rows[n++] = row;
        }
      }
      return n;
    }
    if (this.#graph !== undefined) {
      for (let row = 0; row < length; row++) {
        rows[n] = row;
        n += kind[row] === KIND.other ? 0 : 1;
      }
      return n;
    }
    const functions = this.#functions;
    if (functions === undefined) {
      for (let row = 0; row < length; row++) {
        rows[n] = row;
        n += kind[row] === KIND.return ? 1 : 0;
      }
      return n;
    }
    const { func } = columns;
    const { only } = functions;
    if (only !== undefined) {
      const { lo, hi } = only;
      for (let row = 0; row < length; row++) {
        if (
          func[2 * row] === lo && func[2 * row + 1] === hi &&
          kind[row] === KIND.return
        ) rows[n++] = row;
      }
      return n;
    }
    for (let row = 0; row < length; row++) {
      if (
        kind[row] === KIND.return &&
        functions.has(func[2 * row], func[2 * row + 1])
      ) rows[n++] = row;
    }
    return n;
  }

  #assemble(frame: Frame, rows: Uint32Array, n: number): Frame {
    const arena: PageArena = frame.arena;
    if (
      this.#out === undefined || this.#out.arena !== arena ||
      this.#out.columns.epoch !== frame.columns.epoch
    ) this.#out = callFrame(frame.columns.epoch, arena);
    const out = this.#out;
    out.columns.clear();
    out.calls.clear();
    this.#graph?.take(frame.columns, rows, n, out, frame.details);
    this.#syscalls?.take(frame.columns, arena, rows, n, out);
    return out;
  }

  #deliver(
    frame: Frame,
    rows: Uint32Array,
    selected: number,
    origin: number,
  ): void {
    let n = selected;
    for (const filter of this.#filters) n = filter(frame, rows, n);
    if (!frame.ordered) orderRows(frame.columns, rows, n);
    for (const test of this.#closures) {
      let left = 0;
      for (let i = 0; i < n; i++) {
        if (test(this.#event.move(frame, rows[i]))) rows[left++] = rows[i];
      }
      n = left;
    }
    n = this.#limits.cut(frame, rows, n, this.#event);
    this.events += n;
    const { every } = this.stream;
    if (every === undefined) return this.#feed(frame, rows, n);
    let start = 0;
    for (let i = 0; i < n; i++) {
      const ts = frame.columns.ts[rows[i]];
      if (ts < this.#windowEnd) continue;
      this.#feed(frame, rows.subarray(start, i), i - start);
      start = i;
      this.#pass(ts, every, origin);
    }
    this.#feed(frame, rows.subarray(start, n), n - start);
  }

  /** Closes all windows that ended before the time `ts`. */
  #pass(ts: number, every: number, origin: number): void {
    if (Number.isNaN(this.#windowEnd)) this.#windowEnd = origin + every;
    if (ts < this.#windowEnd) return;
    this.#close(origin, every);
    this.#windowEnd += every *
      (Math.floor((ts - this.#windowEnd) / every) + 1);
  }

  /** Stores, shows and resets what was collected in a window. */
  #close(origin: number, every: number): void {
    if (!this.#filled) return;
    this.#filled = false;
    const to = this.#windowEnd - origin;
    this.sinks.forEach((sink, i) => {
      const window = { from: to - every, to, result: sink.result() };
      const text = sink.text();
      this.#windows[i].push(window);
      if (text !== "") {
        this.#context.window(windowHeading(window) + text);
      }
      sink.clear();
    });
  }

  /** Ends the run; the last window is incomplete. */
  finish(origin: number): void {
    const { every } = this.stream;
    if (every !== undefined && !Number.isNaN(this.#windowEnd)) {
      this.#close(origin, every);
    }
  }

  /** The result of a sink; with `every`, all closed windows. */
  result(sink: number): unknown {
    return this.stream.every === undefined
      ? this.sinks[sink].result()
      : this.#windows[sink];
  }

  /** What to show of a sink; with `every`, of the current window. */
  text(sink: number): string {
    return this.stream.every === undefined || this.#filled
      ? this.sinks[sink].text()
      : "";
  }

  #feed(frame: Frame, rows: Uint32Array, n: number): void {
    if (n === 0) return;
    this.#filled = true;
    for (const sink of this.sinks) sink.take(frame, rows, n);
  }
}

/** The latest time among a frame's rows. */
function latest({ columns, ordered }: Frame): number {
  const { ts, length } = columns;
  if (ordered) return length > 0 ? ts[length - 1] : -Infinity;
  let last = -Infinity;
  for (let row = 0; row < length; row++) if (ts[row] > last) last = ts[row];
  return last;
}

/** The index of a function among the given system calls, or -1. */
function syscallIndex(
  calls: readonly SyscallTarget[],
): (lo: number, hi: number) => number {
  const index = new AddressMap<number>();
  calls.forEach(({ addresses }, i) => {
    for (const address of addresses) index.put(address, i);
  });
  return (lo, hi) => index.get(lo, hi) ?? -1;
}
