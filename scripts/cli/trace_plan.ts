/**
 * What `xftrace on` is going to do: the control writes, and what is left to
 * the host.
 *
 * @module
 */
import { XftraceError } from "../../engine/base/errors.ts";
import { type ControlWrite, writeText } from "../../engine/control/control.ts";
import { eventFiles } from "../../engine/ftrace/events/events.ts";
import {
  planGraphRoots,
  readGraphRoots,
} from "../../engine/ftrace/graph/graph_roots.ts";
import { ftraceSite } from "../../engine/kernel/patching/ftrace_site.ts";
import {
  limitDepth,
  muteEvent,
  switchCpu,
  switchRecording,
} from "../../engine/control/switches.ts";
import { resolveFunction } from "../../engine/kernel/symbols/function_names.ts";
import {
  tracefsTexts,
  type TracefsWrite,
} from "../../engine/control/tracefs_control.ts";
import type { Session } from "../../engine/session.ts";
import type { OpenInstance } from "./instance.ts";

/** What was asked for. */
export interface TraceRequest {
  readonly functions: readonly string[];
  /** `max_graph_depth`. */
  readonly depth?: number;
  /** The tracer that will be selected before; default: the guest's. */
  readonly tracer?: string;
  /** Events to mute. */
  readonly mute?: readonly string[];
  /** CPUs to leave out. */
  readonly withoutCpu?: readonly number[];
}

/** What will be done. */
export interface TracePlan {
  readonly target: string;
  readonly kernel: string;
  readonly tracer: string;
  readonly wasRecording: boolean;
  /** An instance that is made for it. */
  readonly makes?: string;
  /** Tracefs files that the module writes first. */
  readonly tracefs?: readonly TracefsWrite[];
  /** In the order in which they are carried out. */
  readonly writes: readonly ControlWrite[];
  /** GVAs of functions that the host limits the text to; none: no limit. */
  readonly hostRoots: readonly bigint[];
  /** Remarks, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Plans it; nothing is written.
 *
 * @throws {KernelError} for an unknown function, event or CPU.
 * @throws {XftraceError} when the guest would record nothing of what is asked.
 */
export function planTrace(
  session: Session,
  open: OpenInstance,
  request: TraceRequest,
): TracePlan {
  const { kernel } = session;
  const { instance, events } = open;
  const notes: string[] = [];
  const writes: ControlWrite[] = [];
  const tracer = request.tracer ?? instance.tracer;
  const named = request.functions.map((name) =>
    resolveFunction(kernel.symbols, name)
  );
  for (const { note } of named) if (note !== undefined) notes.push(note);
  const functions = named.flatMap((one) => one.functions);
  const enabled = eventFiles(kernel, instance.object, events)
    .filter((file) => file.enabled);
  if (
    request.tracer === undefined && tracer === "nop" && enabled.length === 0
  ) {
    throw new XftraceError(
      'the guest would record nothing: its tracer is "nop" and no event is enabled; boot it with ftrace=function_graph (or trace_event=...) on its kernel command line, or load the xftrace module in it',
    );
  }
  if (functions.length > 0 && tracer !== "function_graph") {
    throw new XftraceError(
      `the guest's tracer is "${tracer}": functions can be chosen with function_graph only; boot it with ftrace=function_graph, or run \`xftrace on\` without functions to collect what it traces`,
    );
  }
  let hostRoots: bigint[] = [];
  if (functions.length > 0) {
    const ips: bigint[] = [];
    for (const { name, gva } of functions) {
      const ip = ftraceSite(kernel, gva)?.ip;
      if (ip === undefined) {
        throw new XftraceError(
          `${name} cannot be traced: the kernel has no trace point at its start (it is marked notrace, or it is no function)`,
        );
      }
      ips.push(ip);
    }
    const { capacity } = readGraphRoots(kernel);
    const roots = planGraphRoots(kernel, ips);
    // In part, the guest would leave out what the host cannot bring back.
    if (roots.uncovered.length === 0) writes.push(...roots.writes);
    else if (capacity > 0) {
      throw new XftraceError(
        `the guest traces under ${capacity} roots of its own and ${ips.length} are asked for: a root cannot be added from outside, only changed; ask for at most ${capacity}, or boot without ftrace_graph_filter=`,
      );
    } else {
      notes.push(
        "the guest has no set_graph_function to change: it records all functions, and the host keeps what is under those asked for",
      );
    }
    hostRoots = functions.map(({ gva }) => gva);
  }
  if (request.depth !== undefined) {
    writes.push(...limitDepth(instance, request.depth));
  }
  for (const name of request.mute ?? []) {
    writes.push(...muteEvent(instance, events, name, true));
  }
  for (const cpu of request.withoutCpu ?? []) {
    writes.push(switchCpu(instance, cpu, false));
  }
  const wasRecording = instance.recording;
  // Last: what is recorded is what was asked for from the first event on.
  writes.push(...switchRecording(instance, true));
  return {
    target: session.target,
    kernel: kernel.facts.release,
    tracer,
    wasRecording,
    writes,
    hostRoots,
    notes,
  };
}

/** The plan for people. */
export function planText(
  plan: TracePlan,
  functions: readonly string[],
): string {
  const what = functions.length === 0 ? "everything" : functions.join(" ");
  const lines = [
    `Plan   ${what}   target ${plan.target}  kernel ${plan.kernel}  tracer ${plan.tracer}`,
    "Control writes (undone in reverse)",
  ];
  const writes = [
    ...(plan.makes === undefined
      ? []
      : [`instances/${plan.makes}   made, and removed at the end`]),
    ...tracefsTexts(plan.tracefs ?? []),
    ...plan.writes.map(writeText),
  ];
  writes.forEach((text, i) =>
    lines.push(`${String(i + 1).padStart(3)}  ${text}`)
  );
  if (writes.length === 0) {
    lines.push("     none: the guest records already");
  }
  lines.push("Decode passes");
  const passes = ["follow all CPUs' pages, count losses"];
  if (plan.hostRoots.length > 0) {
    passes.push(`keep what is under ${plan.hostRoots.length} functions`);
  }
  passes.push("merge by time stamp, text");
  passes.forEach((pass, i) =>
    lines.push(`${String(i + 1).padStart(3)}  ${pass}`)
  );
  for (const note of plan.notes) lines.push(`Note   ${note}`);
  return lines.join("\n") + "\n";
}
