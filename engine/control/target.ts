/**
 * The target of control: an open guest, and the Ftrace instance in it.
 *
 * @module
 */
import type { TraceEvents } from "../ftrace/events/events.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Session } from "../session.ts";

/** An open guest with the Ftrace instance to control. */
export interface ControlTarget {
  readonly session: Session;
  readonly instance: TraceArray;
  readonly events: TraceEvents;
}
