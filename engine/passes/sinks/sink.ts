/**
 * What becomes of a stream's events: what a sink is, and what it says of
 * itself to those that compile, run and show a script.
 *
 * @module
 */
import type { Accessor } from "../fields/access.ts";
import type { EventObject } from "../fields/event_object.ts";
import type { Frame } from "../fields/frame.ts";
import type { GuestNames } from "../fields/stream_access.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { SinkSpec } from "../../query/spec.ts";

/** A sink at work. */
export interface Sink<R = unknown> {
  /** Takes rows in time order. */
  take(frame: Frame, rows: Uint32Array, n: number): void;
  /** What it has come to; a promise's value for the script. */
  result(): R;
  /** The result as text; empty for sinks that write events as they come. */
  text(): string;
  /** Begins anew: the next window of `every`. */
  clear(): void;
}

/** The common part of sinks that hand events on as they come. */
export abstract class AsTheyCome implements Sink<number> {
  /** How many events were handed on. */
  protected count = 0;
  /** The stream's part. */
  protected readonly context: SinkContext;

  constructor(context: SinkContext) {
    this.context = context;
  }

  abstract take(frame: Frame, rows: Uint32Array, n: number): void;

  /** How many events were handed on. */
  result(): number {
    return this.count;
  }

  /** Nothing: all has been shown. */
  text(): string {
    return "";
  }

  /** Counts from 0 again. */
  clear(): void {
    this.count = 0;
  }
}

/** What sinks need of the stream they end. */
export interface SinkContext {
  readonly access: Accessor;
  readonly fields: ReadonlyMap<string, FieldKind>;
  readonly names: GuestNames;
  readonly event: EventObject;
  /** One event as one line, with its newline. */
  line(frame: Frame, row: number): string;
  /** Takes text that is to be shown at once. */
  write(text: string): void;
}

/** A field that a script names to a sink. */
export interface NamedField {
  readonly path: string;
  /** Whether any value will do, or the sink calculates with it. */
  readonly as: "any" | "number";
}

/**
 * A kind of sink: one object in a file of its own, listed in all.ts.
 *
 * `S`: what a script asks for. `R`: what it gets.
 */
export interface SinkKind<S extends SinkSpec = SinkSpec, R = unknown> {
  /** Its name among the kinds. */
  readonly kind: S["kind"];
  /**
   * Set when events are handed on as they come: all there is at the end is
   * how many they were.
   */
  readonly asTheyCome?: true;
  /** Set when it looks at what happened inside calls. */
  readonly inside?: true;
  /** As a plan names it: `count(comm)`. */
  text(spec: S): string;
  /** The fields that it names, in the order in which they are checked. */
  fields?(spec: S): readonly NamedField[];
  /** Why it cannot be made, as a sentence; `undefined`: it can. */
  problem?(spec: S): string | undefined;
  /** Makes the sink. */
  make(spec: S, context: SinkContext): Sink<R>;
}

/** Fields of any kind, such as those to count by. */
export function anyOf(paths: readonly string[]): NamedField[] {
  return paths.map((path) => ({ path, as: "any" }));
}

/** A field to calculate with. */
export function numberOf(path: string): NamedField {
  return { path, as: "number" };
}
