/**
 * Plans `xftrace on` with the guest's own Ftrace, controlled by writing words
 * in its memory.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { eventFiles } from "../ftrace/events/events.ts";
import { graphDepthAt, readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { ftraceSite } from "../kernel/patching/ftrace_site.ts";
import { functionIndex } from "../kernel/functions/index.ts";
import {
  functionNotes,
  resolveFunctions,
} from "../kernel/functions/resolve.ts";
import type { Session } from "../session.ts";
import { planGraphRoots } from "./graph_roots.ts";
import { lookAtSteps } from "./look.ts";
import type { DecodePass, Plan, PlannedStep } from "./plan.ts";
import { type RootFunction, rootsStep } from "./roots_step.ts";
import type { ControlTarget } from "./target.ts";

/** Options that are carried out by changing words in memory. */
export interface WordRequest {
  /** The value for `max_graph_depth`. */
  readonly depth?: number;
  /** Events to mute. */
  readonly mute: readonly string[];
  /** CPUs not to record. */
  readonly withoutCpu: readonly number[];
}

/** The options of the plan. */
export interface PlainRequest extends WordRequest {
  /**
   * System calls and kernel functions by name; empty: everything that is
   * traced.
   */
  readonly functions: readonly string[];
}

/** A plan of `xftrace on`, with values that are not printed. */
export interface OnPlan {
  readonly plan: Plan;
  /** The tracer that records. */
  readonly tracer: string;
  /** Whether the guest is already recording. */
  readonly wasRecording: boolean;
  /** GVAs of functions to which the host limits the text; empty: no limit. */
  readonly hostRoots: readonly bigint[];
}

/**
 * Makes the plan; nothing is written.
 *
 * @throws {KernelError} for an unknown function, event or CPU.
 * @throws {XftraceError} when the guest would record nothing that was asked
 * for.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { planPlain, planText } from "xftrace/control";
 * import { openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { session } = guest;
 * const target = { session, ...openInstance(session) };
 * const { plan } = planPlain(target, { functions: [], mute: [], withoutCpu: [], depth: 3 });
 * console.log(planText(plan)); // what would be written to the guest
 * ```
 */
export function planPlain(
  target: ControlTarget,
  request: PlainRequest,
): OnPlan {
  const { instance, session } = target;
  const { kernel } = session;
  const { tracer } = instance;
  const index = functionIndex(kernel);
  const named = request.functions.map((name) => resolveFunctions(index, name));
  const functions = named.flatMap((one) =>
    one.functions.flatMap(({ name, addresses }) =>
      addresses.map((gva) => ({ name, gva }))
    )
  );
  requireTracing(target, functions.length > 0);
  const notes = functionNotes(named);
  const steps: PlannedStep[] = [];
  if (functions.length > 0) {
    const roots = planRoots(kernel, functions);
    if (roots !== undefined) steps.push(roots);
    else {
      notes.push(
        "the guest has no set_graph_function to change: it records all functions, and the host keeps what is under those asked for",
      );
    }
  }
  // Recording comes last, so that only what was asked for is recorded, from the
  // first event on.
  steps.push(...wordSteps(kernel, request), {
    step: { control: "recording", on: true },
  });
  const hostRoots = functions.map(({ gva }) => gva);
  return {
    tracer,
    wasRecording: instance.recording,
    hostRoots,
    plan: onPlan(session, {
      tracer,
      functions: request.functions,
      passes: ringPasses(hostRoots.length),
      steps: lookAtSteps(steps, target).filter(changesSomething),
      notes,
    }),
  };
}

/**
 * @throws {XftraceError} when the guest would record nothing that was asked
 * for.
 */
function requireTracing(
  { instance, events, session }: ControlTarget,
  functions: boolean,
): void {
  const { tracer } = instance;
  const enabled = eventFiles(session.kernel, instance.object, events)
    .some((file) => file.enabled);
  if (tracer === "nop" && !enabled) {
    throw new XftraceError(
      'the guest would record nothing: its tracer is "nop" and no event is enabled; boot it with ftrace=function_graph (or trace_event=...) on its kernel command line, or load the xftrace module in it',
    );
  }
  if (functions && tracer !== "function_graph") {
    throw new XftraceError(
      `the guest's tracer is "${tracer}": functions can be chosen with function_graph only; boot it with ftrace=function_graph, or run \`xftrace on\` without functions to collect what it traces`,
    );
  }
}

/**
 * The step that sets the graph roots; `undefined` when the guest has no roots
 * that can be changed.
 */
function planRoots(
  kernel: Kernel,
  functions: readonly RootFunction[],
): PlannedStep | undefined {
  const ips = functions.map(({ name, gva }) => {
    const ip = ftraceSite(kernel, gva)?.ip;
    if (ip !== undefined) return ip;
    throw new XftraceError(
      `${name} cannot be traced: the kernel has no trace point at its start (it is marked notrace, or it is not a function)`,
    );
  });
  const { capacity, ips: before } = readGraphRoots(kernel);
  const { changes, uncovered } = planGraphRoots(kernel, ips);
  if (uncovered.length === 0) {
    return {
      step: rootsStep(
        kernel.arch.syscalls.names,
        before.map((ip) => functionAt(kernel, ip)),
        functions,
      ),
      changes,
    };
  }
  if (capacity === 0) return undefined;
  // With only some of the roots, the guest would omit calls that the host
  // cannot bring back.
  throw new XftraceError(
    `the guest traces under ${capacity} roots of its own and ${ips.length} are asked for: a root cannot be added from outside, only changed; ask for at most ${capacity}, or boot without ftrace_graph_filter=`,
  );
}

function functionAt(kernel: Kernel, ip: bigint): string {
  return kernel.symbols.name(Number(ip & 0xffffffffn), Number(ip >> 32n));
}

/** The steps for depth, events and CPUs. */
export function wordSteps(
  kernel: Kernel,
  { depth, mute, withoutCpu }: WordRequest,
): PlannedStep[] {
  const steps: PlannedStep[] = [];
  if (depth !== undefined) {
    const at = graphDepthAt(kernel);
    const before = at === undefined ? 0 : kernel.space.u32(at);
    steps.push({ step: { control: "depth", before, levels: depth } });
  }
  for (const name of mute) {
    steps.push({ step: { control: "mute", events: [name] } });
  }
  for (const cpu of withoutCpu) steps.push({ step: { control: "cpu", cpu } });
  return steps;
}

/** Whether a step needs any change: the guest may already be in that state. */
export function changesSomething({ changes }: PlannedStep): boolean {
  return changes?.length !== 0;
}

/** What the host does with the guest's ring buffers until `xftrace off`. */
export function ringPasses(hostRoots: number): DecodePass[] {
  const passes = [["pages", "of all CPUs, losses are counted"]];
  if (hostRoots > 0) {
    passes.push(["keep", `what is under ${hostRoots} functions`]);
  }
  passes.push(["merge", "by time stamp"]);
  return passes.map(([what, text]) => ({ what, text, reason: "" }));
}

/** The parts of a plan of `xftrace on`. */
export interface OnParts {
  readonly tracer?: string;
  readonly seal?: string;
  readonly functions: readonly string[];
  readonly passes: readonly DecodePass[];
  /** Files that are written; default: only the text. */
  readonly sinks?: readonly string[];
  readonly steps: readonly PlannedStep[];
  readonly notes: readonly string[];
}

/** Builds a plan of `xftrace on`. */
export function onPlan(session: Session, parts: OnParts): Plan {
  const { tracer, seal = "none", functions, passes, sinks, steps, notes } =
    parts;
  return {
    format: 1,
    target: session.target,
    kernel: session.kernel.facts.release,
    ...(tracer === undefined ? {} : { tracer }),
    seal,
    live: true,
    traces: [{
      title: functions.length === 0 ? "everything" : functions.join(", "),
      until: "xftrace off",
      passes,
      sinks: sinks ?? ["text"],
    }],
    steps,
    notes,
  };
}
