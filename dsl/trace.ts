/**
 * Traces: a source, the methods that are chained to it, and the sinks that end
 * it.
 *
 * @module
 */
import type {
  EventLike,
  Moment,
  SinkSpec,
  TraceSpec,
} from "../engine/query/spec.ts";
import { COLLECT } from "../engine/passes/sinks/collect.ts";
import { COUNT, type CountTable } from "../engine/passes/sinks/count.ts";
import { EACH } from "../engine/passes/sinks/each.ts";
import { FOLDED, type FoldedStacks } from "../engine/passes/sinks/folded.ts";
import { GRAPH } from "../engine/passes/sinks/graph.ts";
import {
  HIST,
  type HistTable,
  type LinearBuckets,
} from "../engine/passes/sinks/hist.ts";
import { JSON_LINES } from "../engine/passes/sinks/json.ts";
import { PRINT } from "../engine/passes/sinks/print.ts";
import type { SinkKind } from "../engine/passes/sinks/sink.ts";
import { STATS, type StatsTable } from "../engine/passes/sinks/stats.ts";
import { TOP } from "../engine/passes/sinks/top.ts";
import type { Window } from "../engine/passes/windows.ts";
import { Condition } from "./condition.ts";
import { CompileError, expected, here, textExpected } from "./errors.ts";
import type { FieldRef } from "./fields.ts";
import { reference } from "./functions.ts";
import type { TracedFunction } from "./names/functions.ts";
import { PulledEvents } from "./iterate.ts";
import { Query } from "./query.ts";
import type { QueryTarget } from "./runner.ts";
import type { EventOf, FieldName } from "./types.ts";
import { type Duration, durationNs } from "./units.ts";

export { type CountRow, CountTable } from "../engine/passes/sinks/count.ts";
export { FoldedStacks } from "../engine/passes/sinks/folded.ts";
export {
  HistTable,
  type LinearBuckets as LinearOptions,
} from "../engine/passes/sinks/hist.ts";
export { StatsTable } from "../engine/passes/sinks/stats.ts";

/** A receiver of events, for {@linkcode Trace.into}. */
export interface Output<E> {
  /** Receives one event; it may be kept. */
  event(event: E): void;
}

/**
 * A trace event as a marker, whatever its fields:
 * `event("sched:sched_process_exit")`.
 */
export interface EventMarker {
  /** The trace as data. */
  readonly spec: TraceSpec;
  readonly kind: "events";
}

/** When a trace ends or begins. */
export type When<F> =
  | Duration
  | number
  | EventMarker
  | ((event: EventOf<F>) => boolean);

/**
 * The result of a sink: one, or with `every` a list with one for each window.
 */
export type Given<R, W extends boolean> = W extends true ? Window<R>[] : R;

/**
 * A trace: where events come from, and which of them are wanted. Each method
 * returns a new trace; nothing runs before a sink is awaited.
 *
 * `F`: the events' fields and their kinds. `K`: whether the events are calls of
 * functions or trace events. `W`: whether sinks give windows of `every`.
 *
 * @example
 * ```ts
 * import { comm, duration, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const slow = trace(sys_openat).filter(duration.gt("1ms")).on(guest);
 * const [byCommand, longest] = await Promise.all([slow.count(comm), slow.top(3)]);
 * console.log(`${byCommand}`, longest[0].duration);
 * ```
 */
export class Trace<
  in out F,
  K extends "calls" | "events" = "calls" | "events",
  W extends boolean = false,
> implements AsyncIterable<EventOf<F>> {
  /** The trace as data. */
  readonly spec: TraceSpec;
  /** Whether its events are calls. */
  readonly kind: K;
  readonly #target: QueryTarget | undefined;

  constructor(spec: TraceSpec, kind: K, target?: QueryTarget) {
    this.spec = spec;
    this.kind = kind;
    this.#target = target;
  }

  #with(part: Partial<TraceSpec>): Trace<F, K, W> {
    return new Trace({ ...this.spec, ...part }, this.kind, this.#target);
  }

  /**
   * The same trace, to be run on this guest. Queries on one guest that are
   * awaited together share one pass over its events.
   */
  on(target: QueryTarget): Trace<F, K, W> {
    return new Trace(this.spec, this.kind, target);
  }

  /**
   * Keeps only events that pass the test. A condition may be pushed into the
   * guest, and else runs over columns; a function of the script runs on the
   * host, for each event that passes the conditions.
   */
  filter(
    test: Condition<F> | ((event: EventOf<F>) => boolean),
  ): Trace<F, K, W> {
    const at = here();
    if (!(test instanceof Condition) && typeof test !== "function") {
      throw expected(
        'a condition, such as duration.gt("1ms"), or a function',
        test,
      );
    }
    const filter = test instanceof Condition
      ? { kind: "expression" as const, node: test.node }
      : {
        kind: "closure" as const,
        test: test as (event: EventLike) => boolean,
        ...(at === undefined ? {} : { at }),
      };
    return this.#with({ filters: [...this.spec.filters, filter] });
  }

  /** Keeps only calls that happen within calls of these functions. */
  under(
    this: Trace<F, "calls", W>,
    ...functions: (TracedFunction<unknown> | string)[]
  ): Trace<F, "calls", W> {
    return this.#with({
      under: [...this.spec.under, ...functions.map(reference)],
    });
  }

  /**
   * Includes what the functions call, down to this many levels, counted as the
   * kernel's `max_graph_depth` is: 1 is the outermost function only, `Infinity`
   * everything.
   */
  depth(this: Trace<F, "calls", W>, levels: number): Trace<F, "calls", W> {
    if (!(levels >= 1) || (levels !== Infinity && levels % 1 !== 0)) {
      throw new CompileError(
        `depth(${levels}) is no depth: 1 is the function alone, 2 also what it calls, Infinity all`,
        here(),
      );
    }
    return this.#with({ depth: levels });
  }

  /**
   * Sets how calls are observed: by the function graph, by system calls'
   * events, or by the guest's module. Default: what fits the script best of
   * what the target offers.
   *
   * @throws {CompileError} when `way` is none of these.
   */
  via(
    this: Trace<F, "calls", W>,
    way: "graph" | "events" | "module",
  ): Trace<F, "calls", W> {
    const { source } = this.spec;
    if (source.kind !== "calls") return this;
    // One-liners are not checked by TypeScript.
    if (!["graph", "events", "module"].includes(way)) {
      throw new CompileError(
        `via(${
          JSON.stringify(way)
        }) is no way to see calls: write "graph", "events" or "module"`,
        here(),
      );
    }
    return this.#with({ source: { ...source, via: way } });
  }

  /**
   * Ends the trace: after a time, after a number of events (those that pass the
   * filters), at an event (`event("sched:sched_process_exit")`), after the
   * event for which a function returns true, or by an AbortSignal. If called
   * several times, whatever comes first ends the trace.
   */
  until(when: When<F> | AbortSignal): Trace<F, K, W> {
    return this.#with({ until: [...this.spec.until, moment(when, "until")] });
  }

  /** Begins the trace, in the same ways as {@linkcode until} ends it. */
  from(when: Exclude<When<F>, number>): Trace<F, K, W> {
    return this.#with({ from: [...this.spec.from, moment(when, "from")] });
  }

  /**
   * Has sinks show their result and start over at each interval of the trace's
   * time. The result of a sink is then a list: a {@linkcode Window} for each
   * interval in which something happened, the last one cut short by the trace's
   * end.
   */
  every(interval: Duration): Trace<F, K, true> {
    const ns = durationNs(interval);
    if (ns === 0) {
      throw new CompileError(
        `every("${interval}") never comes to an end: give an interval above 0`,
        here(),
      );
    }
    return new Trace({ ...this.spec, every: ns }, this.kind, this.#target);
  }

  #query<S extends SinkSpec, R>(
    sink: SinkKind<S, R>,
    spec: S,
  ): Query<Given<R, W>> {
    return this.#typed(sink, spec);
  }

  /** The same for sinks whose results are events, which have the fields `F`. */
  #events<S extends SinkSpec>(
    sink: SinkKind<S, EventLike[]>,
    spec: S,
  ): Query<Given<EventOf<F>[], W>> {
    return this.#typed(sink, spec);
  }

  #typed<S extends SinkSpec, G>(sink: SinkKind<S>, spec: S): Query<G> {
    const problem = sink.problem?.(spec);
    if (problem !== undefined) throw new CompileError(problem, here());
    return new Query({ trace: this.spec, sink: spec }, this.#target);
  }

  /** Prints a line for each event. Its result is the number of events. */
  print(): Query<Given<number, W>> {
    return this.#query(PRINT, { kind: "print" });
  }

  /**
   * Prints each event as one line of JSON. Its result is the number of events.
   */
  json(): Query<Given<number, W>> {
    return this.#query(JSON_LINES, { kind: "json" });
  }

  /** Gives the events, at most `limit` of them, as a list. */
  collect(limit?: number): Query<Given<EventOf<F>[], W>> {
    return this.#events(COLLECT, {
      kind: "collect",
      ...(limit === undefined ? {} : { limit }),
    });
  }

  /** Counts events, grouped by the values of the given fields. */
  count(...by: (FieldRef<F> | FieldName<F>)[]): Query<Given<CountTable, W>> {
    return this.#query(COUNT, { kind: "count", by: by.map(path) });
  }

  /** A histogram of a field with buckets of powers of two. */
  hist(
    field: FieldRef<F> | FieldName<F>,
    ...by: (FieldRef<F> | FieldName<F>)[]
  ): Query<Given<HistTable, W>> {
    return this.#query(HIST, {
      kind: "hist",
      field: path(field),
      by: by.map(path),
    });
  }

  /**
   * A histogram of a field with buckets of equal width.
   *
   * @throws {CompileError} when there are no such buckets, or too many.
   */
  lhist(
    field: FieldRef<F> | FieldName<F>,
    linear: LinearBuckets,
    ...by: (FieldRef<F> | FieldName<F>)[]
  ): Query<Given<HistTable, W>> {
    const { from, to, step } = linear;
    return this.#query(HIST, {
      kind: "hist",
      field: path(field),
      by: by.map(path),
      linear: { from, to, step },
    });
  }

  /** Count, mean, minimum, maximum and sum of a field. */
  stats(
    field: FieldRef<F> | FieldName<F>,
    ...by: (FieldRef<F> | FieldName<F>)[]
  ): Query<Given<StatsTable, W>> {
    return this.#query(STATS, {
      kind: "stats",
      field: path(field),
      by: by.map(path),
    });
  }

  /**
   * The `n` events with the greatest values of a field; default: `duration`.
   */
  top(
    this: Trace<F, "calls", W>,
    n: number,
    field?: FieldRef<F> | FieldName<F>,
  ): Query<Given<EventOf<F>[], W>>;
  /** The `n` events with the greatest values of a field. */
  top(
    n: number,
    field: FieldRef<F> | FieldName<F>,
  ): Query<Given<EventOf<F>[], W>>;
  top(
    n: number,
    field: FieldRef<F> | FieldName<F> = "duration" as FieldName<F>,
  ): Query<Given<EventOf<F>[], W>> {
    return this.#events(TOP, { kind: "top", n, field: path(field) });
  }

  /** Draws each call with what it called. Its result is the number of calls. */
  graph(this: Trace<F, "calls", W>): Query<Given<number, W>> {
    return this.#query(GRAPH, { kind: "graph" });
  }

  /**
   * Stacks for flame graphs, weighted by the time spent in the function itself
   * (ns) or by calls.
   */
  folded(
    this: Trace<F, "calls", W>,
    weight: "self" | "calls" = "self",
  ): Query<Given<FoldedStacks, W>> {
    return this.#query(FOLDED, { kind: "folded", weight });
  }

  /** Hands each event to an output. Its result is the number of events. */
  into(output: Output<EventOf<F>>): Query<Given<number, W>> {
    return this.#query(EACH, {
      kind: "each",
      // The compiler has checked that the event has the fields F.
      take: (event) => output.event(event as EventOf<F>),
    });
  }

  /** Iterates over the events as they come. Leaving the loop ends the trace. */
  [Symbol.asyncIterator](): AsyncIterator<EventOf<F>, undefined> {
    const stop = new AbortController();
    const queue = new PulledEvents<EventOf<F>>(stop);
    const query = this.until(stop.signal).into(queue);
    queue.feed(query);
    return queue;
  }
}

function path<F>(field: FieldRef<F> | string): string {
  return textExpected(
    typeof field === "string" ? field : field?.path,
    field,
    'a field, such as comm or "next_comm"',
  );
}

function moment<F>(when: When<F> | AbortSignal, what: string): Moment {
  const at = here();
  if (typeof when === "string") {
    return { kind: "time", ns: durationNs(when) };
  }
  if (typeof when === "number") {
    if (when >= 1 && when % 1 === 0) return { kind: "count", events: when };
    throw new CompileError(
      `${what}(${when}) is no number of events: for a time write "${when}s"`,
      at,
    );
  }
  if (when instanceof AbortSignal) return { kind: "signal", signal: when };
  if (typeof when === "function") {
    return {
      kind: "closure",
      test: when as (event: EventLike) => boolean,
      ...(at === undefined ? {} : { at }),
    };
  }
  if (!(when instanceof Trace)) {
    throw expected('a time such as "5s", a number of events or an event', when);
  }
  const { source } = when.spec;
  if (source.kind === "events" && source.names.length === 1) {
    return { kind: "event", name: source.names[0] };
  }
  throw new CompileError(
    `${what}() takes one event, as in ${what}(event("sched:sched_process_exit"))`,
    at,
  );
}
