/**
 * Plans files of tracefs that the module, or the guest's agent, writes for the
 * host, to steer the stock Ftrace.
 *
 * What files hold before is read in guest memory: nothing is asked of the
 * guest for a plan, and nothing that it says there is believed.
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

const KIB = 1024;
/** Bytes of an event's filter, at most. */
const LONGEST_FILTER = 4096;
/** Bytes before a sub-buffer's data (struct buffer_data_page). */
const SUB_BUFFER_HEAD = 16;

/** Below tracefs, the folder of an instance; the top level's is empty. */
export function folderOf(instance: string | undefined): string {
  return instance === undefined ? "" : `instances/${instance}/`;
}

/**
 * Plans the steps; what would change nothing is left out.
 *
 * @param instance the instance to steer; `undefined` when it is to be made
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
  // A root that is not in the filter would never be seen.
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
    // One for all instances.
    add(
      "set_graph_function",
      request.functions.join(" "),
      known(before.join(" ")),
    );
  }
  const files = eventFiles(kernel, (instance ?? top).object, events);
  // Before the events are enabled: nothing comes that was not asked for.
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
  // Last: what it records then is what was asked for.
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
 * Plans to enable events; `undefined` when all of them are.
 *
 * @param instance `undefined` when it is to be made: it has none enabled
 * @param names `system:name` of each
 * @throws {KernelError} when the guest does not have one.
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
      // With a trigger it is on, and records nothing: "0*".
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

/** The change of a file; `undefined` when it holds that already. */
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

/** What a file holds, where memory tells. */
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

/** The text of an event's filter; `undefined` without. */
function eventFilter(kernel: Kernel, file: bigint): string | undefined {
  const filter = kernel.object("trace_event_file", file)
    .follow("filter", "event_filter");
  return filter?.stringAt("filter_string", LONGEST_FILTER);
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
  const pattern = globRegExp(event);
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
  const buffer = instance.buffer();
  const pages = buffer.cpuBuffers()[0]?.counters().pages ?? 0;
  return Math.floor(pages * (buffer.pageSize - SUB_BUFFER_HEAD) / KIB);
}

/** What the kernel takes when a buffer is first used (`trace_buf_size`). */
function defaultKib({ kernel }: TraceArray): number {
  const at = kernel.symbols.tryAddress("trace_buf_size");
  return at === undefined
    ? 1408
    : Math.ceil(Number(kernel.space.u64(at)) / KIB);
}
