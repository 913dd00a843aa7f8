/**
 * `xftrace on` with the guest's own Ftrace: controlled by words in its memory,
 * and with `--tracer` by files of tracefs that the module or the agent sets.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import {
  type Applied,
  applyPlan,
  canBeRetried,
  type ControlTarget,
  leftTexts,
  type OnPlan,
  planPlain,
  planText,
  planTracer,
  type TracefsAccess,
} from "xftrace/control";
import { openInstance } from "xftrace/ftrace";
import { bootState, StateFolder, type TraceState } from "../collector/state.ts";
import {
  endCollector,
  requireFree,
  startCollector,
} from "./collector_process.ts";
import { DEFAULT_OUTPUT } from "./commands/off.ts";
import { agentTracefs } from "./guest_agent.ts";
import { Interrupt } from "./interrupt.ts";
import type { OnOptions } from "./on_options.ts";
import { plainRequest, tracerRequest } from "./on_request.ts";
import { count, note, out, outLine, Progress } from "./terminal.ts";

/** The name of the command, for messages about its changes. */
const WHO = "`xftrace on`";

/**
 * Starts recording by plain writes alone, or prints the plan (`--dry-run`).
 *
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when it fails; what was written has been undone.
 */
export async function onPlain(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  const target = { session, ...openInstance(session, options.instance) };
  const planned = planPlain(target, plainRequest(functions, options));
  return await begin(target, planned, functions, options);
}

/**
 * The same, with files of tracefs that the guest's module sets first.
 *
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when it fails; what was written has been undone.
 */
export async function onTracer(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  const { target, planned } = planFiles(session, functions, options);
  return await begin(target, planned, functions, options, { who: "module" });
}

/**
 * The same, with files of tracefs that QEMU's guest agent sets first.
 *
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when it fails; what was written has been undone.
 */
export async function onAgent(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  const { target, planned } = planFiles(session, functions, options);
  using tracefs = agentTracefs(session);
  await tracefs.require(planned.plan);
  const files = { who: "agent", tracefs } as const;
  return await begin(target, planned, functions, options, files);
}

/** Plans the files of tracefs and the words in memory. */
function planFiles(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): { target: ControlTarget; planned: OnPlan } {
  const top = openInstance(session);
  const request = tracerRequest(functions, options);
  const planned = planTracer(session, top.events, request);
  const makes = planned.plan.steps.some(({ step }) =>
    step.control === "instance"
  );
  const open = makes ? top : openInstance(session, options.instance);
  return { target: { session, ...open }, planned };
}

/** What sets files of tracefs. */
interface FilesBy {
  readonly who: "module" | "agent";
  /** Default: the module's mailbox. */
  readonly tracefs?: TracefsAccess;
}

async function begin(
  target: ControlTarget,
  planned: OnPlan,
  functions: readonly string[],
  options: OnOptions,
  by?: FilesBy,
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
    byFiles: by !== undefined,
    wasRecording: planned.wasRecording,
    started: new Date().toISOString(),
    collector: 0,
    ...bootState(session),
  };
  folder.write(state);
  const applied = await start(target, planned, folder, state, by);
  for (const remark of plan.notes) note(remark);
  const what = functions.length === 0
    ? "everything the guest traces"
    : functions.join(", ");
  const done = (way: Applied["way"]) =>
    count(applied.filter((one) => one.way === way).length);
  const files = by === undefined
    ? ""
    : `, ${done("tracefs")} tracefs files by its ${by.who}`;
  outLine(
    `recording ${what} in ${session.target} (tracer ${planned.tracer}, ${
      done("word")
    } words written${files}); \`xftrace off\` writes ${DEFAULT_OUTPUT}`,
  );
  return folder;
}

/**
 * Carries the plan out. Each change is noted in the state folder before it is
 * made.
 */
async function start(
  target: ControlTarget,
  { plan }: OnPlan,
  folder: StateFolder,
  state: TraceState,
  by: FilesBy | undefined,
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
      ...(by?.tracefs === undefined ? {} : { tracefs: by.tracefs }),
      check: () => interrupt.check(),
      onWait: ({ said, elapsed }) =>
        progress.update(
          `the ${by?.who}: ${said}, ${(elapsed / 1000).toFixed(0)} s`,
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
        // As long as something is left to undo, `xftrace off` can do that.
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
