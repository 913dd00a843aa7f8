/**
 * Turns the options of `xftrace on` into requests for a plan.
 *
 * @module
 */
import type {
  ForEvent,
  PlainRequest,
  SealedRequest,
  SetFile,
  TracerRequest,
  WordRequest,
} from "xftrace/control";
import { type OnOptions, sealName, wholeNumber } from "./on_options.ts";
import { usage } from "./option_values.ts";

/**
 * The part of a request that words in memory fulfil.
 *
 * @throws {XftraceError} for an invalid number, like all functions below.
 */
function wordRequest(options: OnOptions): WordRequest {
  return {
    ...(options.depth === undefined
      ? {}
      : { depth: wholeNumber("--depth", options.depth) }),
    mute: options.mute,
    withoutCpu: options.withoutCpu.map((text) =>
      wholeNumber("--without-cpu", text)
    ),
  };
}

/** The request for a trace by plain writes. */
export function plainRequest(
  functions: readonly string[],
  options: OnOptions,
): PlainRequest {
  return { ...wordRequest(options), functions };
}

/** The request for a trace with files of tracefs. */
export function tracerRequest(
  functions: readonly string[],
  options: OnOptions,
): TracerRequest {
  return {
    ...wordRequest(options),
    ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
    functions,
    filter: words(options.filter),
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
    ...(options.agent === true ? { by: "agent" } : {}),
  };
}

/**
 * The request for a sealed trace.
 *
 * @param files names of the recording and of the key log, for the plan
 */
export function sealedRequest(
  functions: readonly string[],
  options: OnOptions,
  files: SealedRequest["files"],
): SealedRequest {
  return {
    functions,
    filter: words(options.filter),
    seal: sealName(options.seal ?? "siphash+ratchet"),
    rotateMs: wholeNumber("--rotate", options.rotate ?? "100", 1),
    depth: options.depth === undefined
      ? 0
      : wholeNumber("--depth", options.depth),
    interrupts: options.interrupts === true,
    arguments: options.arguments,
    hooks: options.hooks,
    files,
  };
}

/**
 * The names in the values of an option, which are separated by commas or
 * spaces.
 */
function words(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split(/[\s,]+/))
    .filter((name) => name !== "");
}

/** Parses `EVENT=TEXT`. */
function forEvent(option: string, example: string, text: string): ForEvent {
  const at = text.indexOf("=");
  const [event, what] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at > 0 && event !== "" && what !== "") return { event, text: what };
  throw usage(`${option} takes EVENT=TEXT, such as '${example}'`);
}

/** Parses `FILE=VALUE` or `FILE+=VALUE`. */
function setFile(text: string): SetFile {
  const [, path, plus, value] = /^([^=+\s]+)(\+?)=(.*)$/s.exec(text) ?? [];
  if (path !== undefined && value !== undefined) {
    return { path, text: value.trim(), append: plus === "+" };
  }
  throw usage(
    "--set takes FILE=VALUE, or FILE+=VALUE to add to a list, such as options/sym-addr=1",
  );
}
