/**
 * Plans changes of tracefs files that the module or the guest's agent makes for
 * the host, to control the stock Ftrace.
 *
 * The previous content of files is read from guest memory: planning asks the
 * guest nothing and does not rely on its answers.
 *
 * @module
 */
import { KernelError } from "../base/errors.ts";
import { globRegExp } from "../base/glob.ts";
import { hex } from "../base/hex.ts";
import { eventFiles, type TraceEvents } from "../ftrace/events/events.ts";
import { readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import { readFunctionFilter } from "../ftrace/ring/function_filter.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type { FileChange, FileContent, PlannedStep } from "./plan.ts";
import { requireSettable } from "./tracefs_content.ts";

/** Events, by name or glob, and the text to write for them. */
export interface ForEvent {
  readonly event: string;
  readonly text: string;
}

/** A file that is set to a text from the user. */
export interface SetFile {
  /** Path relative to the instance's folder: `options/sym-addr`. */
  readonly path: string;
  readonly text: string;
  /** Whether the text is appended, as with `>>`. */
  readonly append: boolean;
}

/** The requested settings of the stock Ftrace. */
export interface TracefsRequest {
  /** `function_graph`, `function`, `nop`, ...; `undefined`: unchanged. */
  readonly tracer?: string;
  /**
   * Kernel functions by name: the graph roots for function_graph, the filter
   * for all other tracers.
   */
  readonly functions: readonly string[];
  /** Functions and globs that are traced at all, independent of the roots. */
  readonly filter?: readonly string[];
  /** Events to enable: `sched:sched_switch`, `sched:*`. */
  readonly events?: readonly string[];
  /** The trace clock: `local`, `mono`, ... */
  readonly clock?: string;
  /** Size of a CPU's buffer in KiB. */
  readonly bufferKib?: number;
  /** Conditions on events, in the syntax of tracefs' `filter`. */
  readonly eventFilters?: readonly ForEvent[];
  /** Actions on events, in the syntax of tracefs' `trigger`. */
  readonly triggers?: readonly ForEvent[];
  /** Any other files. */
  readonly files?: readonly SetFile[];
  /** Name of the instance; default: the top level. */
  readonly instance?: string;
}

const KIB = 1024;
/** Maximum length of an event's filter, in bytes. */
const LONGEST_FILTER = 4096;
/** Bytes before the data of a sub-buffer (struct buffer_data_page). */
const SUB_BUFFER_HEAD = 16;

/** The folder of an instance, relative to tracefs; empty for the top level. */
export function folderOf(instance: string | undefined): string {
  return instance === undefined ? "" : `instances/${instance}/`;
}

/**
 * Plans the steps; those that would change nothing are left out.
 *
 * @param instance the instance to control; `undefined` when it is to be created
 * @throws {KernelError} for an unknown event.
 */
export function planTracefs(
  top: TraceArray,
  instance: TraceArray | undefined,
  events: TraceEvents,
  request: TracefsRequest,
): PlannedStep[] {
  const { kernel } = top;
  const folder = folderOf(request.instance);
  const steps: PlannedStep[] = [];
  const add = (
    path: string,
    text: string,
    before: FileContent,
    more: { readonly append?: boolean; readonly remove?: string } = {},
  ) => {
    const change = fileChange(path, text, before, more);
    if (change === undefined) return;
    steps.push({ step: { control: "file", path }, changes: [change] });
  };
  if (request.clock !== undefined) {
    const clock = instance?.clock.name ?? "local";
    add(`${folder}trace_clock`, request.clock, known(clock));
  }
  if (request.bufferKib !== undefined) {
    const kib = instance === undefined ? undefined : bufferKib(instance);
    const text = String(kib ?? defaultKib(top));
    const before: FileContent = kib === undefined
      ? { known: true, text, whenUsed: true }
      : known(text);
    add(`${folder}buffer_size_kb`, String(request.bufferKib), before);
  }
  const graph = request.tracer === "function_graph";
  for (const { path, text, append } of request.files ?? []) {
    requireSettable(path);
    add(folder + path, text, fileContent(instance, path), { append });
  }
  const filter = [
    ...(request.filter ?? []),
    ...(graph || request.tracer === undefined ? [] : request.functions),
  ];
  // A root outside the filter would never be recorded.
  if (graph && filter.length > 0) filter.push(...request.functions);
  if (filter.length > 0) {
    const before = instance === undefined ? [] : readFunctionFilter(instance);
    add(
      `${folder}set_ftrace_filter`,
      filter.join(" "),
      known(before.join(" ")),
    );
  }
  if (graph) {
    const before = readGraphRoots(kernel).ips.map((ip) =>
      kernel.symbols.lookup(ip)?.name ?? hex(ip)
    );
    // A setting shared by all instances.
    add(
      "set_graph_function",
      request.functions.join(" "),
      known(before.join(" ")),
    );
  }
  const files = eventFiles(kernel, (instance ?? top).object, events);
  // Before events are enabled, so that only the requested ones are recorded.
  for (const { event, text } of request.eventFilters ?? []) {
    for (const { system, name, gva } of matching(files, event)) {
      const before = instance === undefined
        ? undefined
        : eventFilter(kernel, gva);
      add(
        `${folder}events/${system}/${name}/filter`,
        text,
        known(before ?? "0"),
      );
    }
  }
  for (const { event, text } of request.triggers ?? []) {
    for (const { system, name } of matching(files, event)) {
      add(`${folder}events/${system}/${name}/trigger`, text, { known: false }, {
        append: true,
        remove: `!${text}`,
      });
    }
  }
  const wanted = (request.events ?? []).flatMap((name) => matching(files, name))
    .map(({ system, name }) => `${system}:${name}`);
  const enable = planEnable(
    top,
    instance,
    events,
    [...new Set(wanted)],
    folder,
  );
  if (enable !== undefined) steps.push(enable);
  // Last, so that everything recorded is what was asked for.
  if (request.tracer !== undefined) {
    const before = instance?.tracer ?? "nop";
    const { tracer } = request;
    const path = `${folder}current_tracer`;
    const change = fileChange(path, tracer, known(before));
    if (change !== undefined) {
      const step = { control: "tracer", before, tracer } as const;
      steps.push({ step, changes: [change] });
    }
  }
  return steps;
}

/**
 * Plans enabling events; `undefined` when all of them are enabled already.
 *
 * @param instance `undefined` when it is to be created: then no events are
 * enabled
 * @param names `system:name` of each
 * @throws {KernelError} when the guest lacks one of them.
 */
export function planEnable(
  top: TraceArray,
  instance: TraceArray | undefined,
  events: TraceEvents,
  names: readonly string[],
  folder: string,
): PlannedStep | undefined {
  const files = eventFiles(top.kernel, (instance ?? top).object, events);
  const changes: FileChange[] = [];
  const enabled: string[] = [];
  for (const name of names) {
    for (const file of matching(files, name)) {
      // A trigger alone switches the event on without recording it: "0*".
      const on = instance !== undefined && file.enabled && !file.softDisabled;
      const change = fileChange(
        `${folder}events/${file.system}/${file.name}/enable`,
        "1",
        known(on ? "1" : "0"),
      );
      if (change === undefined) continue;
      changes.push(change);
      enabled.push(`${file.system}:${file.name}`);
    }
  }
  return changes.length === 0
    ? undefined
    : { step: { control: "enable", events: enabled }, changes };
}

function known(text: string): FileContent {
  return { known: true, text };
}

/** The change of a file; `undefined` when it already has this content. */
function fileChange(
  path: string,
  text: string,
  before: FileContent,
  more: { readonly append?: boolean; readonly remove?: string } = {},
): FileChange | undefined {
  const { append = false, remove } = more;
  const same = before.known && before.whenUsed !== true && !append &&
    before.text === text;
  return same ? undefined : {
    way: "tracefs",
    path,
    text,
    append,
    before,
    ...(remove === undefined ? {} : { remove }),
  };
}

/** The content of a file, if memory shows it. */
function fileContent(
  instance: TraceArray | undefined,
  path: string,
): FileContent {
  const option = /^options\/([^/]+)$/.exec(path)?.[1];
  const found = option === undefined
    ? undefined
    : instance?.options().find(({ name }) => name === option);
  return found === undefined ? { known: false } : known(found.set ? "1" : "0");
}

/** The text of an event's filter; `undefined` without one. */
function eventFilter(kernel: Kernel, file: bigint): string | undefined {
  const filter = kernel.object("trace_event_file", file)
    .follow("filter", "event_filter");
  return filter?.stringAt("filter_string", LONGEST_FILTER);
}

/**
 * The files to which an event's name or glob refers.
 *
 * @throws {KernelError} when nothing matches.
 */
function matching<T extends { readonly system: string; readonly name: string }>(
  files: readonly T[],
  name: string,
): T[] {
  const [system, event] = name.includes(":")
    ? name.split(":", 2)
    : [undefined, name];
  const pattern = globRegExp(event);
  const found = files.filter((file) =>
    (system === undefined || file.system === system) && pattern.test(file.name)
  );
  if (found.length > 0) return found;
  throw new KernelError(
    `the guest has no event ${name}: list them with \`xftrace events\``,
  );
}

/** Size of a CPU's buffer in KiB; `undefined` until it is fully allocated. */
function bufferKib(instance: TraceArray): number | undefined {
  const { object, kernel } = instance;
  const flag = object.has("ring_buffer_expanded")
    ? object.number("ring_buffer_expanded")
    : undefined;
  const global = kernel.symbols.tryAddress("ring_buffer_expanded");
  if (flag === undefined && global === undefined) {
    throw new KernelError(
      "this kernel keeps where xftrace does not know whether its buffers have " +
        "their full size: struct trace_array has no ring_buffer_expanded, and " +
        "there is no such symbol",
    );
  }
  const expanded = flag ??
    (global === undefined ? 0 : kernel.space.bytes(global, 1)[0]);
  if (expanded === 0) return undefined;
  const buffer = instance.buffer();
  const pages = buffer.cpuBuffers()[0]?.counters().pages ?? 0;
  return Math.floor(pages * (buffer.pageSize - SUB_BUFFER_HEAD) / KIB);
}

/**
 * The size that the kernel allocates when a buffer is first used
 * (`trace_buf_size`).
 */
function defaultKib({ kernel }: TraceArray): number {
  const at = kernel.symbols.tryAddress("trace_buf_size");
  if (at !== undefined) return Math.ceil(Number(kernel.space.u64(at)) / KIB);
  throw new KernelError(
    "this kernel keeps the size of new buffers where xftrace does not know: it " +
      "has no symbol trace_buf_size",
  );
}
