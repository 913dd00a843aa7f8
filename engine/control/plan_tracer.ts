/**
 * Plans `xftrace on` with a stock tracer, events or tracefs files, set by the
 * guest's module or its agent.
 *
 * @module
 */
import { EXIT, XftraceError } from "../base/errors.ts";
import type { TraceEvents } from "../ftrace/events/events.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { functionIndex } from "../kernel/functions/index.ts";
import {
  functionNotes,
  resolveFunctions,
} from "../kernel/functions/resolve.ts";
import type { Session } from "../session.ts";
import { lookAtSteps } from "./look.ts";
import type { Carrier, PlannedStep } from "./plan.ts";
import {
  changesSomething,
  type OnPlan,
  onPlan,
  ringPasses,
  type WordRequest,
  wordSteps,
} from "./plan_plain.ts";
import { planTracefs, type TracefsRequest } from "./plan_tracefs.ts";

/** The options of the plan. */
export interface TracerRequest extends TracefsRequest, WordRequest {
  /** Who makes the changes to tracefs; default: the guest's module. */
  readonly by?: Carrier;
}

/** The note in a plan that the agent carries out. */
const TRUSTS_AGENT =
  "the guest's agent writes these files as root: the guest is trusted to do that, and what is recorded is not sealed";

/**
 * Makes the plan; nothing is written, and the guest is not asked for anything.
 *
 * @throws {XftraceError} for an unknown function, event or CPU.
 *
 * @example
 * ```ts ignore
 * import { planText, planTracer } from "xftrace/control";
 * import { TraceEvents } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const { session } = guest;
 * const { plan } = planTracer(session, new TraceEvents(session.kernel), {
 *   tracer: "function_graph",
 *   functions: ["sys_openat"],
 *   mute: [],
 *   withoutCpu: [],
 * });
 * console.log(planText(plan));
 * ```
 */
export function planTracer(
  session: Session,
  events: TraceEvents,
  request: TracerRequest,
): OnPlan {
  const { kernel } = session;
  const top = TraceArray.global(kernel);
  const { instance: name } = request;
  const instance = name === undefined
    ? top
    : TraceArray.all(kernel).find((one) => one.name === name);
  // Without --tracer, the guest keeps its current tracer.
  const tracer = request.tracer ?? instance?.tracer ?? "nop";
  if (request.functions.length > 0 && tracer === "nop") {
    throw new XftraceError(
      'the tracer "nop" traces no functions; leave them out',
      { exitCode: EXIT.usage },
    );
  }
  const index = functionIndex(kernel);
  const named = request.functions.map((one) => resolveFunctions(index, one));
  const functions = new Set(
    named.flatMap((one) => one.functions.map(({ name }) => name)),
  );
  // In a new instance tracing_on is 1, so it records.
  const wasRecording = instance?.recording ?? true;
  const steps: PlannedStep[] = [];
  if (instance === undefined && name !== undefined) {
    steps.push({
      step: { control: "instance", name },
      changes: [{ way: "instance", name }],
    });
  }
  if (wasRecording) steps.push({ step: { control: "recording", on: false } });
  steps.push(
    ...planTracefs(top, instance, events, {
      ...request,
      functions: [...functions],
    }),
    ...wordSteps(kernel, request),
    { step: { control: "recording", on: true } },
  );
  const looked = instance === undefined
    ? steps
    : lookAtSteps(steps, { session, instance, events })
      .filter(changesSomething);
  return {
    tracer,
    wasRecording,
    // Empty: the guest itself limits what is recorded.
    hostRoots: [],
    plan: onPlan(session, {
      tracer,
      functions: request.functions,
      passes: ringPasses(0),
      steps: looked.map((planned) => carriedBy(planned, request.by)),
      notes: [
        ...request.by === "agent" ? [TRUSTS_AGENT] : [],
        ...functionNotes(named),
      ],
    }),
  };
}

/** Marks a step's changes of tracefs with who makes them. */
function carriedBy(
  planned: PlannedStep,
  by: Carrier | undefined,
): PlannedStep {
  if (by === undefined || planned.changes === undefined) return planned;
  return {
    ...planned,
    changes: planned.changes.map((change) =>
      change.way === "tracefs" || change.way === "instance"
        ? { ...change, by }
        : change
    ),
  };
}
