/**
 * Trace_Switch for the stock Ftrace: tracefs files that the module writes for
 * the host, planned before they are written, and undone in reverse.
 *
 * What files hold before is read in guest memory: nothing is asked of the
 * guest for a plan, and nothing that it says there is believed.
 *
 * @module
 */
import { KernelError, XftraceError } from "../errors.ts";
import { eventFiles, type TraceEvents } from "../ftrace/events.ts";
import { readFunctionFilter } from "../ftrace/function_filter.ts";
import { readGraphRoots } from "../ftrace/graph_roots.ts";
import type { TraceArray } from "../ftrace/trace_array.ts";
import type { CommandOptions, Mailbox } from "./mailbox.ts";

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
}

/** What is wanted of the stock Ftrace. */
export interface TracefsRequest {
  /** `function_graph`, `function`, `nop`, ... */
  readonly tracer: string;
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
  /** The instance, by name; default: the top level. */
  readonly instance?: string;
}

/** Milliseconds for a write: selecting a tracer for all functions is slow. */
const WRITE_MS = 120_000;
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
    more: { after?: string; undo?: string; top?: boolean } = {},
  ) => {
    const after = more.after ?? text;
    if (after === before) return;
    writes.push({
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
  const filter = [
    ...(request.filter ?? []),
    ...(graph ? [] : request.functions),
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
  for (const name of request.events ?? []) {
    const wanted = matching(files, name);
    if (wanted.length === 0) {
      throw new KernelError(
        `the guest has no event ${name}: list them with \`xftrace events\``,
      );
    }
    for (const file of wanted) {
      add(
        `events/${file.system}/${file.name}/enable`,
        "1",
        instance !== undefined && file.enabled ? "1" : "0",
      );
    }
  }
  // Last: what it records then is what was asked for.
  add("current_tracer", request.tracer, instance?.tracer ?? "nop");
  return writes;
}

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
  return files.filter((file) =>
    (system === undefined || file.system === system) && pattern.test(file.name)
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

/** How to wait for the module. */
export type TracefsOptions = Pick<CommandOptions, "onWait">;

/** A word without an end would be judged when the file is closed: too late. */
function line(text: string): string {
  return text === "" ? "" : `${text}\n`;
}

/**
 * Carries a write out.
 *
 * @throws {XftraceError} when the guest refuses, or its module does not answer,
 * with what it last said.
 */
export async function applyTracefs(
  mailbox: Mailbox,
  { path, text }: TracefsWrite,
  options: TracefsOptions = {},
): Promise<void> {
  await mailbox.writeTracefs(path, line(text), {
    ...options,
    timeoutMs: WRITE_MS,
  });
}

/**
 * Takes writes back, last one first.
 *
 * @returns those that the guest refused to take back, with the reason.
 */
export async function undoTracefs(
  mailbox: Mailbox,
  writes: readonly TracefsWrite[],
  options: TracefsOptions = {},
): Promise<{ readonly write: TracefsWrite; readonly reason: string }[]> {
  const left: { write: TracefsWrite; reason: string }[] = [];
  for (const write of writes.toReversed()) {
    try {
      await mailbox.writeTracefs(write.path, line(write.undo), {
        ...options,
        timeoutMs: WRITE_MS,
      });
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      left.push({ write, reason: error.message });
    }
  }
  return left;
}

/** A write as one line: `current_tracer  nop -> function_graph  module mailbox`. */
export function tracefsText({ path, before, after }: TracefsWrite): string {
  return `${path.padEnd(16)} ${
    `${before} -> ${after}`.padEnd(32)
  } tracefs, by the module's mailbox`;
}
