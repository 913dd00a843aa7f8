/**
 * What `xftrace on --tracer` is going to have the guest's module write.
 *
 * @module
 */
import { TraceArray } from "../../engine/ftrace/trace_array.ts";
import { resolveFunction } from "../../engine/kernel/function_names.ts";
import {
  planTracefs,
  type TracefsWrite,
} from "../../engine/seal/tracefs_control.ts";
import type { Session } from "../../engine/session.ts";
import { openInstance } from "./instance.ts";
import { type OnOptions, usage, wholeNumber } from "./on_options.ts";

/** The tracefs part of a plan. */
export interface TracerPlan {
  readonly tracer: string;
  /** An instance that is made first, and removed at the end. */
  readonly makes?: string;
  readonly writes: readonly TracefsWrite[];
  readonly notes: readonly string[];
}

/**
 * Plans it; nothing is written.
 *
 * @throws {XftraceError} for an unknown function or event.
 */
export function planTracer(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): TracerPlan {
  const { kernel } = session;
  const tracer = options.tracer ?? "nop";
  const top = openInstance(session);
  const instance = options.instance === undefined
    ? top.instance
    : TraceArray.all(kernel).find(({ name }) => name === options.instance);
  if (functions.length > 0 && tracer === "nop") {
    throw usage('the tracer "nop" traces no functions; leave them out');
  }
  const named = functions.map((name) => resolveFunction(kernel.symbols, name));
  const names = named.flatMap((one) => one.functions.map(({ name }) => name));
  const writes = planTracefs(top.instance, instance, top.events, {
    tracer,
    functions: [...new Set(names)],
    filter: options.filter.flatMap((text) => text.split(/[\s,]+/))
      .filter((name) => name !== ""),
    events: options.event,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.bufferSize === undefined
      ? {}
      : { bufferKib: wholeNumber("--buffer-size", options.bufferSize, 1) }),
    ...(options.instance === undefined ? {} : { instance: options.instance }),
  });
  return {
    tracer,
    writes,
    notes: named.map(({ note }) => note).filter((text) => text !== undefined),
    ...(instance === undefined ? { makes: options.instance } : {}),
  };
}
