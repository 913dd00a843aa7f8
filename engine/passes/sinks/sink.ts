/**
 * Sinks, which process the events at the end of a stream, and what they declare
 * for the code that compiles, runs and shows a script.
 *
 * @module
 */
import type { Accessor } from "../fields/access.ts";
import type { EventObject } from "../fields/event_object.ts";
import type { Frame } from "../fields/frame.ts";
import type { GuestNames } from "../fields/stream_access.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { SinkSpec } from "../../query/spec.ts";

/** A running sink. */
export interface Sink<R = unknown> {
  /** Takes rows in time order. */
  take(frame: Frame, rows: Uint32Array, n: number): void;
  /** The result so far, which becomes the value of the script's promise. */
  result(): R;
  /** The result as text; empty for sinks that write each event immediately. */
  text(): string;
  /** Says what was left out because there was too much; else `undefined`. */
  readonly leftOut?: string | undefined;
  /** Resets the sink, for the next window of `every`. */
  clear(): void;
}

/** Base class of sinks that pass on each event immediately. */
export abstract class AsTheyCome implements Sink<number> {
  /** Number of events passed on. */
  protected count = 0;
  /** What the stream provides. */
  protected readonly context: SinkContext;

  constructor(context: SinkContext) {
    this.context = context;
  }

  abstract take(frame: Frame, rows: Uint32Array, n: number): void;

  /** The number of events passed on. */
  result(): number {
    return this.count;
  }

  /** Empty, since everything has been shown already. */
  text(): string {
    return "";
  }

  /** Resets the count to 0. */
  clear(): void {
    this.count = 0;
  }
}

/** What sinks need from their stream. */
export interface SinkContext {
  readonly access: Accessor;
  readonly fields: ReadonlyMap<string, FieldKind>;
  readonly names: GuestNames;
  readonly event: EventObject;
  /** An event as a line, including its newline. */
  line(frame: Frame, row: number): string;
  /** Shows text immediately. */
  write(text: string): void;
}

/** A field that a script passes to a sink. */
export interface NamedField {
  readonly path: string;
  /** Whether values of any kind are allowed, or only numbers. */
  readonly as: "any" | "number";
}

/**
 * A kind of sink: an object in a file of its own, listed in all.ts.
 *
 * `S`: the options from the script. `R`: the result.
 */
export interface SinkKind<S extends SinkSpec = SinkSpec, R = unknown> {
  /** The name of the kind. */
  readonly kind: S["kind"];
  /**
   * Set if events are passed on immediately, so that the result is only their
   * number.
   */
  readonly asTheyCome?: true;
  /** Set if it needs what happened within calls. */
  readonly inside?: true;
  /** Its text in a plan: `count(comm)`. */
  text(spec: S): string;
  /** The fields that it uses, in the order in which they are checked. */
  fields?(spec: S): readonly NamedField[];
  /** A sentence that says why it cannot be created; `undefined` if it can. */
  problem?(spec: S): string | undefined;
  /** Creates the sink. */
  make(spec: S, context: SinkContext): Sink<R>;
}

/** Fields of any kind, for instance those by which to count. */
export function anyOf(paths: readonly string[]): NamedField[] {
  return paths.map((path) => ({ path, as: "any" }));
}

/** A field that must be a number. */
export function numberOf(path: string): NamedField {
  return { path, as: "number" };
}
