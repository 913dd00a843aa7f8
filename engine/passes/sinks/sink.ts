/**
 * What becomes of a stream's events.
 *
 * @module
 */
import type { Accessor } from "../access.ts";
import type { EventObject } from "../event_object.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { Frame } from "../frame.ts";
import type { GuestNames } from "../stream_access.ts";

/** A sink at work. */
export interface Sink {
  /** Takes rows in time order. */
  take(frame: Frame, rows: Uint32Array, n: number): void;
  /** What it has come to; a promise's value for the script. */
  result(): unknown;
  /** The result as text, for sinks that show it at the end. */
  text(): string;
  /** Begins anew: the next window of `every`. */
  clear(): void;
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
