/**
 * What a script requests, as data: sources, filters, limits and sinks. The
 * language builds these, and {@linkcode Plan}s are compiled from them.
 *
 * @module
 */
import type { Expression } from "./expression.ts";
import type { SourcePlace } from "./place.ts";

/** A kernel function as a script names it. */
export interface FunctionRef {
  /** `vfs_read`, the system call `sys_openat`, or a glob `vfs_*`. */
  readonly name: string;
  readonly at?: SourcePlace;
}

/** Where the events come from. */
export type Source =
  | {
    /** Calls of functions. */
    readonly kind: "calls";
    readonly functions: readonly FunctionRef[];
    /**
     * Forces one way of observing the calls; default: the best one available.
     */
    readonly via?: "graph" | "events" | "module";
  }
  | {
    /** Trace events, by `system:name` globs. */
    readonly kind: "events";
    readonly names: readonly FunctionRef[];
  };

/**
 * An event as a script's function sees it: fields by name. The same object is
 * reused for every event, so copy what you want to keep.
 */
export type EventLike = { readonly [field: string]: unknown };

/** A filter: an expression, or a function of the script. */
export type FilterSpec =
  | { readonly kind: "expression"; readonly node: Expression }
  | {
    readonly kind: "closure";
    readonly test: (event: EventLike) => boolean;
    readonly at?: SourcePlace;
  };

/** A moment at which a trace begins or ends. */
export type Moment =
  | { readonly kind: "time"; readonly ns: number }
  | { readonly kind: "count"; readonly events: number }
  | { readonly kind: "event"; readonly name: FunctionRef }
  | {
    readonly kind: "closure";
    readonly test: (event: EventLike) => boolean;
    readonly at?: SourcePlace;
  }
  | { readonly kind: "signal"; readonly signal: AbortSignal };

/** One `trace(...)` and everything that is chained to it, except its sink. */
export interface TraceSpec {
  readonly source: Source;
  /** Only what happens within calls of these functions. */
  readonly under: readonly FunctionRef[];
  /**
   * Include the calls inside, down to this many levels; 1 is only the outermost
   * function itself. If absent: calls of the named functions at any level.
   */
  readonly depth?: number;
  readonly filters: readonly FilterSpec[];
  readonly from: readonly Moment[];
  readonly until: readonly Moment[];
  /**
   * Interval after which aggregations are shown and reset, in ns of trace time.
   */
  readonly every?: number;
  readonly at?: SourcePlace;
}

/**
 * How the events are used. The other members of each kind, its text and its
 * fields are defined with the sink itself (engine/passes/sinks).
 */
export interface SinkSpec {
  /** The kind of sink: `count`. */
  readonly kind: string;
}

/** A trace with one sink. */
export interface QuerySpec {
  readonly trace: TraceSpec;
  readonly sink: SinkSpec;
}
