/**
 * What a script asks for, as data: sources, filters, limits and sinks. The
 * language builds these; {@linkcode Plan}s are compiled from them.
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

/** Where events come from. */
export type Source =
  | {
    /** Calls of functions. */
    readonly kind: "calls";
    readonly functions: readonly FunctionRef[];
    /** Force one way of seeing them; default: the best there is. */
    readonly via?: "graph" | "events" | "module";
  }
  | {
    /** Trace events, by `system:name` globs. */
    readonly kind: "events";
    readonly names: readonly FunctionRef[];
  };

/**
 * An event as a closure sees it: fields by name. One object is reused from
 * event to event: copy what is to be kept.
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

/** One `trace(...)` with all that was chained to it but its sink. */
export interface TraceSpec {
  readonly source: Source;
  /** Only what happens within calls of these functions. */
  readonly under: readonly FunctionRef[];
  /**
   * Also the calls inside, so many levels deep; 1 is the outermost function
   * itself. Without it, calls of the named functions at any level.
   */
  readonly depth?: number;
  readonly filters: readonly FilterSpec[];
  readonly from: readonly Moment[];
  readonly until: readonly Moment[];
  /** Aggregations are shown and emptied each so many ns of trace time. */
  readonly every?: number;
  readonly at?: SourcePlace;
}

/**
 * What becomes of the events. A kind's other members, its text and its fields
 * stand with the sink itself (engine/passes/sinks).
 */
export interface SinkSpec {
  /** Which sink: `count`. */
  readonly kind: string;
}

/** A trace with one sink. */
export interface QuerySpec {
  readonly trace: TraceSpec;
  readonly sink: SinkSpec;
}
