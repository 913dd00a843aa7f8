/**
 * What `xftrace on --tracer` is going to have the guest's module write.
 *
 * @module
 */
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import { resolveFunction } from "../../engine/kernel/symbols/function_names.ts";
import {
  type ForEvent,
  planTracefs,
  type SetFile,
  type TracefsWrite,
} from "../../engine/control/tracefs_control.ts";
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
  const top = openInstance(session);
  const instance = options.instance === undefined
    ? top.instance
    : TraceArray.all(kernel).find(({ name }) => name === options.instance);
  // Without --tracer the guest keeps the one it has.
  const tracer = options.tracer ?? instance?.tracer ?? "nop";
  if (functions.length > 0 && tracer === "nop") {
    throw usage('the tracer "nop" traces no functions; leave them out');
  }
  const named = functions.map((name) => resolveFunction(kernel.symbols, name));
  const names = named.flatMap((one) => one.functions.map(({ name }) => name));
  const writes = planTracefs(top.instance, instance, top.events, {
    ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
    functions: [...new Set(names)],
    filter: options.filter.flatMap((text) => text.split(/[\s,]+/))
      .filter((name) => name !== ""),
    events: options.event,
    eventFilters: options.eventFilter.map((text) =>
      forEvent("--event-filter", "sched:sched_switch=prev_pid > 1", text)
    ),
    triggers: options.trigger.map((text) =>
      forEvent("--trigger", "sched:sched_switch=stacktrace:5", text)
    ),
    files: options.set.map(setFile),
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

/** `EVENT=TEXT`. */
function forEvent(option: string, example: string, text: string): ForEvent {
  const at = text.indexOf("=");
  const [event, what] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at > 0 && event !== "" && what !== "") return { event, text: what };
  throw usage(`${option} takes EVENT=TEXT, such as '${example}'`);
}

/** `FILE=VALUE`, or `FILE+=VALUE`. */
function setFile(text: string): SetFile {
  const [, path, plus, value] = /^([^=+\s]+)(\+?)=(.*)$/s.exec(text) ?? [];
  if (path !== undefined && value !== undefined) {
    return { path, text: value.trim(), append: plus === "+" };
  }
  throw usage(
    "--set takes FILE=VALUE, or FILE+=VALUE to add to a list, such as options/sym-addr=1",
  );
}
