/**
 * What commands read of an instance of Ftrace, opened together.
 *
 * @module
 */
import { TraceEvents } from "../../engine/ftrace/events/events.ts";
import {
  type TraceLayout,
  traceLayout,
} from "../../engine/ftrace/ring/meta.ts";
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import type { Session } from "../../engine/session.ts";

/** An instance with the kernel's events and layouts. */
export interface OpenInstance {
  readonly instance: TraceArray;
  readonly events: TraceEvents;
  readonly layout: TraceLayout;
}

/**
 * Opens an instance by name (default: the top-level one).
 *
 * @throws {KernelError} when there is none.
 */
export function openInstance(session: Session, name?: string): OpenInstance {
  const { kernel } = session;
  return {
    instance: TraceArray.named(kernel, name),
    events: new TraceEvents(kernel),
    layout: traceLayout(kernel.types),
  };
}
