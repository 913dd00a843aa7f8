/**
 * `xftrace on` with the guest's own Ftrace: steered by words in its memory,
 * and with `--tracer` by files of tracefs that the module writes.
 *
 * @module
 */
import { XftraceError } from "../../engine/base/errors.ts";
import type { Applied } from "../../engine/control/applied.ts";
import { applyPlan } from "../../engine/control/apply.ts";
import { canBeRetried, leftTexts } from "../../engine/control/left_text.ts";
import { type OnPlan, planPlain } from "../../engine/control/plan_plain.ts";
import { planText } from "../../engine/control/plan_text.ts";
import { planTracer } from "../../engine/control/plan_tracer.ts";
import type { ControlTarget } from "../../engine/control/target.ts";
import type { Session } from "../../engine/session.ts";
import { StateFolder, type TraceState } from "../collector/state.ts";
import {
  endCollector,
  requireFree,
  startCollector,
} from "./collector_process.ts";
import { DEFAULT_OUTPUT } from "./commands/off.ts";
import { openInstance } from "./instance.ts";
import { Interrupt } from "./interrupt.ts";
import type { OnOptions } from "./on_options.ts";
import { plainRequest, tracerRequest } from "./on_request.ts";
import { count, note, out, Progress } from "./terminal.ts";

/** Who made what is told of. */
const WHO = "`xftrace on`";

/**
 * Starts it, or prints the plan.
 *
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when it cannot be done; what was written is undone.
 */
export async function onPlain(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  const target = { session, ...openInstance(session, options.instance) };
  const planned = planPlain(target, plainRequest(functions, options));
  return await begin(target, planned, functions, options, false);
}

/**
 * The same with the guest's module, which sets files of tracefs first.
 *
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when it cannot be done; what was written is undone.
 */
export async function onTracer(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  const top = openInstance(session);
  const request = tracerRequest(functions, options);
  const planned = planTracer(session, top.events, request);
  const makes = planned.plan.steps.some(({ step }) =>
    step.control === "instance"
  );
  const open = makes ? top : openInstance(session, options.instance);
  const target = { session, ...open };
  return await begin(target, planned, functions, options, true);
}

async function begin(
  target: ControlTarget,
  planned: OnPlan,
  functions: readonly string[],
  options: OnOptions,
  byModule: boolean,
): Promise<StateFolder | undefined> {
  const { session } = target;
  const { plan } = planned;
  if (options.dryRun === true) {
    out(planText(plan));
    return undefined;
  }
  if (session.key === undefined || !session.alive()) {
    throw new XftraceError(
      `${session.target} is no running guest: there is nothing to switch on`,
    );
  }
  const folder = new StateFolder(session.key);
  await requireFree(folder, session.target);
  session.memory.makeWritable();
  folder.create();
  const state: TraceState = {
    format: 2,
    target: session.target,
    ...(options.instance === undefined ? {} : { instance: options.instance }),
    functions: [...functions],
    roots: [...planned.hostRoots],
    applied: [],
    byModule,
    wasRecording: planned.wasRecording,
    started: new Date().toISOString(),
    collector: 0,
  };
  folder.write(state);
  const applied = await start(target, planned, folder, state);
  for (const remark of plan.notes) note(remark);
  const what = functions.length === 0
    ? "everything the guest traces"
    : functions.join(", ");
  const done = (way: Applied["way"]) =>
    count(applied.filter((one) => one.way === way).length);
  const files = byModule
    ? `, ${done("tracefs")} tracefs files by its module`
    : "";
  out(
    `recording ${what} in ${session.target} (tracer ${planned.tracer}, ${
      done("word")
    } words written${files}); \`xftrace off\` writes ${DEFAULT_OUTPUT}\n`,
  );
  return folder;
}

/** Carries the plan out, with all that is done noted in the folder first. */
async function start(
  target: ControlTarget,
  { plan }: OnPlan,
  folder: StateFolder,
  state: TraceState,
): Promise<readonly Applied[]> {
  using interrupt = new Interrupt();
  using progress = new Progress();
  let remains = false;
  try {
    return await applyPlan(plan, target, {
      journal: (applied) => {
        state.applied = [...applied];
        folder.write(state);
      },
      check: () => interrupt.check(),
      onWait: ({ said, elapsed }) =>
        progress.update(
          `the module: ${said}, ${(elapsed / 1000).toFixed(0)} s`,
        ),
      beforeRecording: async () => {
        state.collector = await startCollector(
          folder,
          target.session,
          interrupt,
        );
        folder.write(state);
      },
      failing: async () => {
        if (state.collector > 0) await endCollector(state.collector);
        // Until all is taken back, `xftrace off` can do it.
        remains = true;
      },
      onLeft: (left) => {
        remains = left.some(canBeRetried);
        for (const each of leftTexts(left, WHO)) note(each);
      },
    });
  } catch (error) {
    if (remains) note("`xftrace off` tries again");
    else folder.remove();
    throw error;
  }
}
