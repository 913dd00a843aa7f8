/**
 * What control works on: an open guest and the instance of Ftrace in it that
 * is steered.
 *
 * @module
 */
import type { TraceEvents } from "../ftrace/events/events.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Session } from "../session.ts";

/** An open guest with the instance that is steered. */
export interface ControlTarget {
  readonly session: Session;
  readonly instance: TraceArray;
  readonly events: TraceEvents;
}
