/**
 * Trace_Switch for the stock Ftrace: tracefs files that the module writes for
 * the host, planned before they are written, and undone in reverse.
 *
 * What files hold before is read in guest memory: nothing is asked of the
 * guest for a plan, and nothing that it says there is believed.
 *
 * @module
 */
import { KernelError } from "../base/errors.ts";
import { eventFiles, type TraceEvents } from "../ftrace/events/events.ts";
import { readFunctionFilter } from "../ftrace/ring/function_filter.ts";
import { readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { requireSettable } from "./tracefs_undo.ts";

/** One planned write of a tracefs file. */
export interface TracefsWrite {
  /** Below tracefs: `current_tracer`. */
  readonly path: string;
  /** What is written, in place of all that the file holds. */
  readonly text: string;
  /** What the file holds before, in words. */
  readonly before: string;
  /** What it holds after, in words. */
  readonly after: string;
  /** What is written to undo it. */
  readonly undo: string;
  /** It goes behind what the file holds, which stays. */
  readonly append?: boolean;
  /** The undo goes behind what the file holds, and takes one thing out. */
  readonly undoAppend?: boolean;
  /** What the file held when all was written: see `carry_tracefs.ts`. */
  readonly left?: string;
}

/** An event, by name or glob, and what is written for it. */
export interface ForEvent {
  readonly event: string;
  readonly text: string;
}

/** A file that is set as the user says. */
export interface SetFile {
  /** Below the instance's folder: `options/sym-addr`. */
  readonly path: string;
  readonly text: string;
  /** Behind what it holds, as `>>` does. */
  readonly append: boolean;
}

/** What is wanted of the stock Ftrace. */
export interface TracefsRequest {
  /** `function_graph`, `function`, `nop`, ...; `undefined`: as it is. */
  readonly tracer?: string;
  /**
   * Kernel functions by name: the graph's roots of function_graph, the filter
   * of all other tracers.
   */
  readonly functions: readonly string[];
  /** Functions and globs that are traced at all, whatever the roots are. */
  readonly filter?: readonly string[];
  /** Events to enable: `sched:sched_switch`, `sched:*`. */
  readonly events?: readonly string[];
  /** `local`, `mono`, ... */
  readonly clock?: string;
  /** KiB of a CPU's buffer. */
  readonly bufferKib?: number;
  /** Conditions on events, as tracefs' `filter` takes them. */
  readonly eventFilters?: readonly ForEvent[];
  /** What events set off, as tracefs' `trigger` takes it. */
  readonly triggers?: readonly ForEvent[];
  /** Any other files. */
  readonly files?: readonly SetFile[];
  /** The instance, by name; default: the top level. */
  readonly instance?: string;
}

/** In place of what a file holds, which only the guest can tell. */
export const NOT_ASKED = "what it holds";

const KIB = 1024;
/** Data bytes of a 4 KiB sub-buffer (kernel/trace/ring_buffer.c). */
const SUB_BUFFER_BYTES = 4080;

/**
 * Plans the writes; those that would change nothing are left out.
 *
 * @param instance the instance to steer; `undefined` when it is to be made
 * @throws {KernelError} for an unknown event.
 */
export function planTracefs(
  top: TraceArray,
  instance: TraceArray | undefined,
  events: TraceEvents,
  request: TracefsRequest,
): TracefsWrite[] {
  const writes: TracefsWrite[] = [];
  const folder = request.instance === undefined
    ? ""
    : `instances/${request.instance}/`;
  const add = (
    path: string,
    text: string,
    before: string,
    more: {
      after?: string;
      undo?: string;
      top?: boolean;
      append?: boolean;
      undoAppend?: boolean;
    } = {},
  ) => {
    const after = more.after ?? text;
    if (after === before) return;
    const { append, undoAppend } = more;
    writes.push({
      ...(append === undefined ? {} : { append }),
      ...(undoAppend === undefined ? {} : { undoAppend }),
      path: more.top === true ? path : folder + path,
      text,
      before,
      after,
      undo: more.undo ?? before,
    });
  };
  if (request.clock !== undefined) {
    add("trace_clock", request.clock, instance?.clock.name ?? "local");
  }
  if (request.bufferKib !== undefined) {
    const kib = instance === undefined ? undefined : bufferKib(instance);
    const now = kib ?? defaultKib(top);
    add(
      "buffer_size_kb",
      String(request.bufferKib),
      kib === undefined ? `${now} (once it is used)` : String(now),
      { undo: String(now) },
    );
  }
  const list = (names: readonly string[]) =>
    names.length === 0 ? "all functions" : names.join(" ");
  const graph = request.tracer === "function_graph";
  for (const { path, text, append } of request.files ?? []) {
    requireSettable(path);
    add(path, text, fileBefore(instance, path), {
      ...(append ? { append, after: `and ${text}` } : {}),
    });
  }
  const filter = [
    ...(request.filter ?? []),
    ...(graph || request.tracer === undefined ? [] : request.functions),
  ];
  // A root that is not in the filter would never be seen.
  if (graph && filter.length > 0) filter.push(...request.functions);
  if (filter.length > 0) {
    const before = instance === undefined ? [] : readFunctionFilter(instance);
    add("set_ftrace_filter", filter.join(" "), list(before), {
      undo: before.join(" "),
    });
  }
  if (graph) {
    const before = readGraphRoots(top.kernel).ips.map((ip) =>
      top.kernel.symbols.lookup(ip)?.name ?? `0x${ip.toString(16)}`
    );
    add("set_graph_function", request.functions.join(" "), list(before), {
      after: list(request.functions),
      undo: before.join(" "),
      top: true,
    });
  }
  const files = eventFiles(top.kernel, (instance ?? top).object, events);
  // Before the events are enabled: nothing comes that was not asked for.
  for (const { event, text } of request.eventFilters ?? []) {
    for (const file of matching(files, event)) {
      const before = instance === undefined
        ? undefined
        : eventFilter(top.kernel, file.gva);
      add(`events/${file.system}/${file.name}/filter`, text, before ?? "none", {
        undo: before ?? "0",
      });
    }
  }
  for (const { event, text } of request.triggers ?? []) {
    for (const file of matching(files, event)) {
      add(`events/${file.system}/${file.name}/trigger`, text, "as it is", {
        after: `and ${text}`,
        append: true,
        undo: `!${text}`,
        undoAppend: true,
      });
    }
  }
  for (const name of request.events ?? []) {
    for (const file of matching(files, name)) {
      add(
        `events/${file.system}/${file.name}/enable`,
        "1",
        // With a trigger it is on, and records nothing: "0*".
        instance !== undefined && file.enabled && !file.softDisabled
          ? "1"
          : "0",
      );
    }
  }
  // Last: what it records then is what was asked for.
  if (request.tracer !== undefined) {
    add("current_tracer", request.tracer, instance?.tracer ?? "nop");
  }
  return writes;
}

/** What a file holds as memory tells it; else it is asked for in time. */
function fileBefore(instance: TraceArray | undefined, path: string): string {
  const option = /^options\/([^/]+)$/.exec(path)?.[1];
  const found = option === undefined
    ? undefined
    : instance?.options().find(({ name }) => name === option);
  return found === undefined ? NOT_ASKED : found.set ? "1" : "0";
}

/** The text of an event's filter; `undefined` without. */
function eventFilter(kernel: Kernel, file: bigint): string | undefined {
  const filter = kernel.object("trace_event_file", file)
    .follow("filter", "event_filter");
  return filter?.stringAt("filter_string", 4096);
}

/**
 * Those of the files that an event's name or glob means.
 *
 * @throws {KernelError} when there is none.
 */
function matching<T extends { readonly system: string; readonly name: string }>(
  files: readonly T[],
  name: string,
): T[] {
  const [system, event] = name.includes(":")
    ? name.split(":", 2)
    : [undefined, name];
  const pattern = new RegExp(
    `^${
      event.replace(/[.+^${}()|\\]/g, "\\$&").replaceAll("*", ".*")
        .replaceAll("?", ".")
    }$`,
  );
  const found = files.filter((file) =>
    (system === undefined || file.system === system) && pattern.test(file.name)
  );
  if (found.length > 0) return found;
  throw new KernelError(
    `the guest has no event ${name}: list them with \`xftrace events\``,
  );
}

/** KiB of a CPU's buffer; `undefined` while it is not allocated in full. */
function bufferKib(instance: TraceArray): number | undefined {
  const { object, kernel } = instance;
  const flag = object.has("ring_buffer_expanded")
    ? object.number("ring_buffer_expanded")
    : undefined;
  const global = kernel.symbols.tryAddress("ring_buffer_expanded");
  const expanded = flag ??
    (global === undefined ? 1 : kernel.space.bytes(global, 1)[0]);
  if (expanded === 0) return undefined;
  const pages = instance.buffer().cpuBuffers()[0]?.counters().pages ?? 0;
  return Math.floor(pages * SUB_BUFFER_BYTES / KIB);
}

/** What the kernel takes when a buffer is first used (`trace_buf_size`). */
function defaultKib({ kernel }: TraceArray): number {
  const at = kernel.symbols.tryAddress("trace_buf_size");
  return at === undefined
    ? 1408
    : Math.ceil(Number(kernel.space.u64(at)) / KIB);
}

/**
 * Writes as lines, in columns: `current_tracer  nop -> function_graph`, and who
 * carries it out.
 */
export function tracefsTexts(writes: readonly TracefsWrite[]): string[] {
  const changes = writes.map(({ before, after }) => `${before} -> ${after}`);
  const width = (texts: readonly string[]) =>
    Math.min(48, Math.max(...texts.map((text) => text.length)));
  const paths = width(writes.map(({ path }) => path));
  return writes.map(({ path }, i) =>
    `${path.padEnd(paths)} ${
      changes[i].padEnd(width(changes))
    } tracefs, by the module's mailbox`
  );
}
