/**
 * Compares what can be compared of a kernel's Ftrace before anything is traced:
 * whether everything that xftrace looks for is where a known kernel has it, and
 * whether what two places of the kernel say agrees.
 *
 * @module
 */
import {
  KernelError,
  MemoryError,
  XftraceError,
} from "../../../base/errors.ts";
import type { Kernel } from "../../../kernel/core/kernel.ts";
import type { TraceEvents } from "../../../ftrace/events/events.ts";
import { SavedCmdlines } from "../../../ftrace/events/saved_cmdlines.ts";
import { readGraphRoots } from "../../../ftrace/graph/graph_roots.ts";
import { checkEntryFormats } from "../../../ftrace/ring/entry_formats.ts";
import {
  type TraceLayout,
  unknownEntryTypes,
} from "../../../ftrace/ring/meta.ts";
import type { TraceArray } from "../../../ftrace/ring/trace_array.ts";
import { optionNames } from "../../../ftrace/ring/trace_options.ts";
import { tracerTypes } from "../../../ftrace/ring/tracers.ts";
import { entryFlags } from "./entry_flags.ts";
import { hasMigrateColumn } from "./flag_legend.ts";
import { SILENT_OPTIONS, TRACE_FLAGS } from "../options.ts";
import { guestTextOptions, traceMeta } from "../trace_meta.ts";
import { OWN_LINES, rawReason } from "../unfollowed.ts";

/** A part of the kernel's Ftrace, and whether it is known. */
export interface SelfTest {
  /** What was compared: `options`, `flags`, `events`. */
  readonly part: string;
  /** Whether it is as in a known kernel. */
  readonly known: boolean;
  /** What was found, or a sentence with what is not known. */
  readonly found: string;
}

/** Where to look. */
export interface SelfTestOf {
  readonly instance: TraceArray;
  readonly events: TraceEvents;
  readonly layout: TraceLayout;
}

/** Tracers whose entries and texts are known. */
const KNOWN_TRACERS: ReadonlySet<string> = new Set([
  "nop",
  "function",
  "function_graph",
  "wakeup",
  "wakeup_rt",
  "wakeup_dl",
  "irqsoff",
  "preemptoff",
  "preemptirqsoff",
  "hwlat",
  "osnoise",
  "timerlat",
  "branch",
  ...OWN_LINES,
]);

/**
 * Tests a kernel; each part by itself, so that one that is not known hides no
 * other.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 * import { selfTest } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * for (const { part, known, found } of selfTest(openInstance(guest.session))) {
 *   console.log(part, known, found);
 * }
 * ```
 */
export function selfTest(of: SelfTestOf): SelfTest[] {
  const { instance, events, layout } = of;
  const { kernel } = instance;
  const parts: readonly (readonly [string, () => string])[] = [
    ["options", () => options(instance)],
    ["flags", () => flags(kernel)],
    ["entries", () => entries(of)],
    ["sub-buffers", () => subBuffers(instance, layout)],
    ["snapshots", () => snapshots(instance)],
    ["clock", () => clock(instance)],
    ["tracers", () => tracers(kernel)],
    ["tasks", () => {
      SavedCmdlines.read(kernel);
      return "names of tasks";
    }],
    ["roots", () => {
      readGraphRoots(kernel);
      return "graph roots";
    }],
    ["events", () => formats(of)],
    ["text", () => {
      traceMeta(instance, events, layout);
      return "the text of the current tracer";
    }],
  ];
  return parts.map(([part, test]) => {
    try {
      return { part, known: true, found: test() };
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      // What a recording lacks says nothing about the kernel.
      return error instanceof MemoryError && !kernel.memory.live
        ? { part, known: true, found: `not in this recording (${part})` }
        : { part, known: false, found: error.message };
    }
  });
}

function options(instance: TraceArray): string {
  // Throws if the kernel does not agree with itself.
  guestTextOptions(instance);
  const names = optionNames(instance.kernel) ?? [];
  const known = new Set(TRACE_FLAGS.map(([, name]) => name));
  const unknown = names.filter((name) =>
    !known.has(name) && !SILENT_OPTIONS.has(name)
  );
  if (unknown.length > 0) {
    throw new KernelError(
      `this kernel has trace options that are not known to xftrace: ${
        unknown.join(", ")
      }`,
    );
  }
  return `${instance.options().length} trace options`;
}

function flags(kernel: Kernel): string {
  const { lazyCountAt: _, migrateCount: __, ...bits } = entryFlags(
    kernel.types,
    () => hasMigrateColumn(kernel),
  );
  const found = Object.values(bits);
  return `${found.filter((bit) => bit !== 0).length} flags of entries`;
}

function entries({ instance, events, layout }: SelfTestOf): string {
  const unknown = unknownEntryTypes(instance.kernel.types);
  if (unknown.length === 0) {
    return `${checkEntryFormats(events, layout)} kinds of entries`;
  }
  throw new KernelError(
    `this kernel's tracers write entries that are not known to xftrace: ${
      unknown.join(", ")
    }`,
  );
}

/** The kernel's own word on how much a sub-buffer holds (since 6.8). */
function subBuffers(instance: TraceArray, layout: TraceLayout): string {
  const buffer = instance.buffer();
  const { object, pageSize } = buffer;
  const data = pageSize - layout.page.data;
  if (object.has("max_data_size")) {
    const own = object.number("max_data_size");
    // Less the 8 bytes that an event needs at most for its length and time.
    if (own !== data && own !== data - 8) {
      throw new KernelError(
        `this kernel's sub-buffers hold ${own} bytes by its own word, and ` +
          `${data} by their size`,
      );
    }
  }
  return `sub-buffers of ${pageSize} bytes`;
}

function snapshots(instance: TraceArray): string {
  return instance.snapshotBuffer() === undefined
    ? "no snapshot"
    : "a snapshot buffer";
}

function clock(instance: TraceArray): string {
  const { name, inNs } = instance.clock;
  if (inNs !== undefined) return `the clock ${name}`;
  throw new KernelError(
    "this kernel's trace clocks are not where xftrace knows them to be",
  );
}

function tracers(kernel: Kernel): string {
  const names = tracerTypes(kernel).map(({ name }) => name);
  const unknown = names.filter((name) => !KNOWN_TRACERS.has(name));
  if (unknown.length === 0) return `${names.length} tracers`;
  throw new KernelError(
    `this kernel has tracers that are not known to xftrace: ${
      unknown.join(", ")
    }`,
  );
}

function formats({ instance, events, layout }: SelfTestOf): string {
  const meta = traceMeta(instance, events, layout);
  let raw = 0;
  let count = 0;
  for (const { id } of events.all()) {
    const format = events.format(id);
    if (format === undefined) continue;
    count++;
    if (rawReason(format, meta) !== undefined) raw++;
  }
  return `${count.toLocaleString("en-US")} events (${raw} as raw fields)`;
}
