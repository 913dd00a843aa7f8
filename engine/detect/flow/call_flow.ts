/**
 * Determines which function calls which, from what the guest's own Ftrace
 * recorded.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import { type EventColumns, KIND } from "../../ftrace/ring/columns.ts";
import { pairCalls } from "../../ftrace/graph/graph.ts";
import { TimeMerge } from "../../ftrace/ring/merge.ts";
import { traceLayout } from "../../ftrace/ring/meta.ts";
import {
  type CpuReading,
  readBuffers,
  type Reading,
} from "../../ftrace/ring/reader.ts";
import type { RingBuffer } from "../../ftrace/ring/ring_buffer.ts";
import { TraceArray } from "../../ftrace/ring/trace_array.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Report } from "../finding.ts";

/** The message when there is no call flow to judge. */
export const NOTHING_RECORDED =
  "nothing has recorded functions: the top-level buffer holds none, and no sealed recording was given (--recording)";

/** Name for the caller of functions that are recorded without a caller. */
export const ROOT = "(root)";

/** What one function did, over all its recorded calls. */
export interface FunctionFlow {
  /** Number of calls recorded completely, from entry to return. */
  calls: number;
  /**
   * For each callee: the number of its calls, and in how many calls of this
   * function they occurred.
   */
  readonly callees: Map<string, { total: number; within: number }>;
  /** For roots: how often a call contained each number of functions. */
  readonly sizes: Map<number, number>;
}

/** A call flow: functions by name (`name`, or `name [module]`). */
export type CallFlow = Map<string, FunctionFlow>;

/** A recorded function with its GVA and a place from which it was called. */
export interface RecordedFunction {
  readonly gva: bigint;
  /** Name of the first caller that was seen. */
  readonly caller: string;
  readonly calls: number;
}

/** A call site, recorded as a return address. */
export interface RecordedCaller {
  /** GVA of the return address. */
  readonly gva: bigint;
  /** Name of the first function that was seen to be called from there. */
  readonly callee: string;
  readonly calls: number;
}

/** The contents of the top-level buffer. */
export interface RecordedFlow {
  readonly flow: CallFlow;
  readonly functions: readonly RecordedFunction[];
  readonly callers: readonly RecordedCaller[];
  /** Number of function events read. */
  readonly events: number;
  /** Problems with pages, one sentence each. */
  readonly problems: readonly string[];
  /** Those of the problems whose reason may pass; default: none. */
  readonly passing?: readonly string[];
}

/**
 * Reads the function events in the top-level buffer: entries and returns of
 * function_graph, and the function tracer's events with callers.
 *
 * @throws {KernelError} when the buffers cannot be walked.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { recordedFlow } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { flow, events } = recordedFlow(guest.session.kernel);
 * console.log(events, flow.get("__x64_sys_openat")?.calls);
 * ```
 */
export function recordedFlow(kernel: Kernel): RecordedFlow {
  // Update the names of module functions, including those of newly loaded
  // modules.
  kernel.live.refresh();
  const instance = TraceArray.global(kernel);
  const reading = readBuffers(instance, traceLayout(kernel.types), {
    part: instance.current(),
  });
  const names = new Names(kernel);
  const graph = graphFlow(reading.columns, names);
  const calls = functionCallers(kernel, reading, names);
  const passing = reading.cpus.flatMap(olderEvents);
  return {
    ...graph,
    callers: calls.callers,
    events: graph.events + calls.events,
    problems: [
      ...reading.problems,
      ...reading.cpus.flatMap(missingEvents),
      ...passing,
      ...missingRings(kernel, instance.buffer()),
    ],
    passing,
  };
}

/** Tells a check's report what of a flow cannot be judged. */
export function reportProblems(
  report: Pick<Report, "unjudged" | "passing">,
  { problems, passing = [] }: Pick<RecordedFlow, "problems" | "passing">,
): void {
  for (const problem of problems) {
    const how = passing.includes(problem) ? "passing" : "unjudged";
    report[how]("a part of what was recorded", problem);
  }
}

/**
 * Events that the counters of a ring have and its pages do not. While the guest
 * writes, its own events take the place of others.
 */
function missingEvents({ cpu, still, lost }: CpuReading): string[] {
  return still && lost > 0
    ? [`CPU ${cpu}: ${lost} events are counted in its buffer, and not there`]
    : [];
}

/**
 * Events from before the time from which their buffer counts. The kernel sets
 * that time when it empties a buffer, a grace period earlier
 * (tracing_reset_online_cpus, ring_buffer_reset_online_cpus): then they are gone
 * soon.
 */
function olderEvents({ cpu, still, skipped }: CpuReading): string[] {
  return still && skipped > 0
    ? [
      `CPU ${cpu}: ${skipped} events say that they are older than their buffer`,
    ]
    : [];
}

/**
 * CPUs that the buffer's own mask has, which is set when a CPU gets its ring
 * (trace_rb_cpu_prepare), and whose ring is not there.
 */
function missingRings(kernel: Kernel, buffer: RingBuffer): string[] {
  const own = new Set(buffer.cpuBuffers().map(({ cpu }) => cpu));
  let owners: number[];
  try {
    owners = maskedCpus(kernel, buffer);
  } catch (error) {
    // A recording may lack the mask.
    if (error instanceof MemoryError && !kernel.memory.live) return [];
    throw error;
  }
  return owners.filter((cpu) => !own.has(cpu)).map((cpu) =>
    `CPU ${cpu} has no ring, though the buffer was made with one`
  );
}

/** The CPUs in a buffer's mask. */
function maskedCpus(kernel: Kernel, { object }: RingBuffer): number[] {
  if (!object.has("cpumask")) return [];
  // A pointer to the mask with CONFIG_CPUMASK_OFFSTACK, or the mask.
  const { size } = object.member("cpumask");
  const word = size === 8 ? object.u64("cpumask") : 0n;
  const mask = word >> 56n === 0xffn ? word : object.at("cpumask");
  return kernel.perCpuOffsets.flatMap((_, cpu) => {
    const byte = kernel.space.u8(mask + BigInt(cpu >> 3));
    return (byte >> (cpu & 7) & 1) === 0 ? [] : [cpu];
  });
}

/**
 * Pids whose events are in the top-level buffer, with the number of events of
 * each.
 */
export function tracedPids(kernel: Kernel): Map<number, number> {
  const instance = TraceArray.global(kernel);
  const { columns } = readBuffers(instance, traceLayout(kernel.types), {
    part: instance.current(),
  });
  const found = new Map<number, number>();
  for (let row = 0; row < columns.length; row++) {
    const pid = columns.pid[row];
    found.set(pid, (found.get(pid) ?? 0) + 1);
  }
  return found;
}

class Names {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  at(lo: number, hi: number): string {
    return this.#kernel.symbols.name(lo, hi);
  }
}

const gvaOf = (lo: number, hi: number) => BigInt(hi) << 32n | BigInt(lo);

/** A function's entry in a flow; created if it does not exist. */
export function flowOf(flow: CallFlow, name: string): FunctionFlow {
  let found = flow.get(name);
  if (found === undefined) {
    found = { calls: 0, callees: new Map(), sizes: new Map() };
    flow.set(name, found);
  }
  return found;
}

/** Builds the call flow from function_graph's events. */
export function graphFlow(
  columns: EventColumns,
  names: { at(lo: number, hi: number): string },
): { flow: CallFlow; functions: RecordedFunction[]; events: number } {
  const order = new Uint32Array(columns.length);
  const merge = new TimeMerge(columns);
  let n = 0;
  for (let row = merge.next(); row >= 0; row = merge.next()) order[n++] = row;
  const { partner, parent } = pairCalls(columns, order.subarray(0, n));
  const { func, kind, depth } = columns;
  const flow: CallFlow = new Map();
  const functions = new Map<bigint, { caller: string; calls: number }>();
  const size = new Uint32Array(columns.length);
  let events = 0;
  const isEntry = (row: number) =>
    kind[row] === KIND.entry || kind[row] === KIND.entryRetaddr;
  /**
   * For each entry, its callees so far, so that each is counted once per call.
   */
  const within = new Map<number, Set<string>>();
  // Backwards, so that a call's size is known before that of its caller.
  for (let i = n - 1; i >= 0; i--) {
    const row = order[i];
    if (!isEntry(row)) continue;
    events++;
    const lo = func[2 * row];
    const hi = func[2 * row + 1];
    const name = names.at(lo, hi);
    const up = parent[row];
    const caller = up < 0 ? ROOT : names.at(func[2 * up], func[2 * up + 1]);
    const gva = gvaOf(lo, hi);
    const seen = functions.get(gva) ?? { caller, calls: 0 };
    seen.calls++;
    functions.set(gva, seen);
    const whole = partner[row] >= 0;
    if (whole) flowOf(flow, name).calls++;
    if (up >= 0) {
      size[up] += size[row] + 1;
      // If an entry was lost, the next outer call is not the caller.
      if (partner[up] >= 0 && depth[row] === depth[up] + 1) {
        let callees = within.get(up);
        if (callees === undefined) within.set(up, callees = new Set());
        count(flowOf(flow, caller), name, !callees.has(name));
        callees.add(name);
      }
    } else if (depth[row] === 0) {
      count(flowOf(flow, ROOT), name, true);
      if (whole) {
        const { sizes } = flowOf(flow, name);
        sizes.set(size[row], (sizes.get(size[row]) ?? 0) + 1);
      }
    }
    within.delete(row);
  }
  return {
    flow,
    events,
    functions: [...functions].map(([gva, seen]) => ({ gva, ...seen })),
  };
}

function count(of: FunctionFlow, callee: string, first: boolean): void {
  const seen = of.callees.get(callee) ?? { total: 0, within: 0 };
  seen.total++;
  if (first) seen.within++;
  of.callees.set(callee, seen);
}

/** `TRACE_FN`: events of the function tracer hold the address of the caller. */
function functionCallers(
  kernel: Kernel,
  { columns, arena }: Reading,
  names: Names,
): { callers: RecordedCaller[]; events: number } {
  const { types } = kernel;
  const id = types.tryEnumerator("TRACE_FN");
  const ip = types.tryOffset("ftrace_entry", "ip");
  const parentIp = types.tryOffset("ftrace_entry", "parent_ip");
  const found = new Map<bigint, { callee: string; calls: number }>();
  let events = 0;
  if (id === undefined || ip === undefined || parentIp === undefined) {
    return { callers: [], events };
  }
  for (let row = 0; row < columns.length; row++) {
    if (columns.type[row] !== id) continue;
    events++;
    const at = columns.offset[row];
    const word = (offset: number) => arena.view.getUint32(at + offset, true);
    const gva = gvaOf(word(parentIp), word(parentIp + 4));
    const seen = found.get(gva);
    if (seen !== undefined) seen.calls++;
    else found.set(gva, { callee: names.at(word(ip), word(ip + 4)), calls: 1 });
  }
  return {
    events,
    callers: [...found].map(([gva, seen]) => ({ gva, ...seen })),
  };
}
