/**
 * `xftrace on` with the guest's module: a sealed trace.
 *
 * @module
 */
import { resolve } from "node:path";
import { GuestGoneError, type Session, XftraceError } from "xftrace";
import { planSealed, planText } from "xftrace/control";
import { openInstance } from "xftrace/ftrace";
import type { SealedTracer } from "xftrace/seal";
import { shellWord } from "xftrace/targets";
import { collectorAnswers } from "../collector/guest_lock.ts";
import { ask } from "../collector/protocol.ts";
import {
  bootState,
  isOtherBoot,
  type SealedState,
  StateFolder,
  type TraceState,
} from "../collector/state.ts";
import { requireFree, startCollector } from "./collector_process.ts";
import { Interrupt, INTERRUPTED } from "./interrupt.ts";
import { type OnOptions, refuseForeign } from "./on_options.ts";
import { sealedRequest } from "./on_request.ts";
import { count, note, out, outLine, shownPath } from "./terminal.ts";

/**
 * Starts a sealed trace, or prints its plan.
 *
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when the guest or its module refuses; nothing is left
 * changed.
 */
export async function onSealed(
  session: Session,
  tracer: SealedTracer,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  refuseForeign("sealed", options);
  const klogPath = resolve(options.klog ?? "trace.klog");
  const recordingPath = resolve(options.recording ?? "trace.xfs");
  const open = openInstance(session);
  // Throws for names that the kernel does not have, before anything is done.
  const request = sealedRequest(functions, options, {
    recording: shownPath(recordingPath),
    klog: shownPath(klogPath),
  });
  const { plan, settings, traced } = planSealed(
    { session, ...open },
    tracer,
    request,
  );
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
  if (tracer.enabled) {
    throw new XftraceError(
      `the module of ${session.target} records for somebody else; end that trace; if it was killed, switch the module off: xftrace off -t ${
        shellWord(session.target)
      }`,
    );
  }
  folder.create();
  const sealed: SealedState = {
    ...settings,
    rotateMs: request.rotateMs,
    klogPath,
    recordingPath,
    resume: false,
  };
  const state: TraceState = {
    format: 2,
    target: session.target,
    functions: [...functions],
    roots: [],
    applied: [],
    byFiles: false,
    wasRecording: open.instance.recording,
    started: new Date().toISOString(),
    collector: 0,
    ...bootState(session),
    sealed,
  };
  folder.write(state);
  using interrupt = new Interrupt();
  try {
    state.collector = await startCollector(folder, session, interrupt);
    folder.write(state);
  } catch (error) {
    const left = await takeBack(session, tracer);
    if (left === undefined) folder.remove();
    throw explained(error, session.target, left);
  }
  for (const remark of plan.notes) note(remark);
  const what = functions.length === 0 ? "all functions" : functions.join(", ");
  outLine(
    `recording ${what} in ${session.target}, sealed by its module (${sealed.seal}, a key each ${sealed.rotateMs} ms; ${
      traced === "all" ? "all" : count(traced)
    } functions traced)`,
  );
  outLine(
    `recording ${shownPath(sealed.recordingPath)}, keys ${
      shownPath(sealed.klogPath)
    }`,
  );
  return folder;
}

/** Continues a sealed trace whose collector has ended without stopping it. */
export async function resumeSealed(session: Session): Promise<StateFolder> {
  const folder = session.key === undefined
    ? undefined
    : new StateFolder(session.key);
  const state = folder?.read();
  if (folder === undefined || state === undefined) {
    throw new XftraceError(
      `no trace of ${session.target} was left to go on with; start one: xftrace on FUNCTION`,
    );
  }
  if (state.sealed === undefined) {
    throw new XftraceError(
      `only a sealed trace can be gone on with; run \`xftrace off -t ${
        shellWord(session.target)
      }\`: it gets what was collected`,
    );
  }
  if (isOtherBoot(session, state)) {
    throw new XftraceError(
      `${session.target} was restarted since the trace began, so it cannot be gone on with; run \`xftrace off -t ${
        shellWord(session.target)
      }\`: it gets what was collected until then`,
    );
  }
  await collectorAnswers(folder);
  if (await ask(folder.socket, { do: "status" }) !== undefined) {
    throw new XftraceError(
      `the collector of ${session.target} runs: there is nothing to resume`,
    );
  }
  state.sealed = { ...state.sealed, resume: true };
  folder.write(state);
  state.collector = await startCollector(folder, session);
  folder.write(state);
  outLine(
    `recording ${
      state.functions.join(", ")
    } in ${session.target} goes on, sealed by its module`,
  );
  return folder;
}

/**
 * Takes back what a collector has begun that did not start: it may have been
 * killed in the middle.
 *
 * @returns why that failed; `undefined` when the guest is as it was
 */
async function takeBack(
  session: Session,
  tracer: SealedTracer,
): Promise<string | undefined> {
  try {
    session.memory.makeWritable();
    await tracer.takeBack();
    return undefined;
  } catch (error) {
    if (error instanceof GuestGoneError) return undefined;
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Adds to an error what has become of the guest; and when the module is busy,
 * the usual reason and what to do.
 *
 * @param left why the module could not be switched off again, if so
 */
function explained(
  error: unknown,
  target: string,
  left: string | undefined,
): unknown {
  if (!(error instanceof XftraceError)) return error;
  const { message, exitCode } = error;
  const interrupted = exitCode === INTERRUPTED;
  if (interrupted && left === undefined) return error;
  const become = left === undefined
    ? "the guest is as it was"
    : `the guest's module may still trace, since it could not be switched off (${left}): run \`xftrace off -t ${
      shellWord(target)
    }\``;
  const busy = /busy/.test(message)
    ? "; this kernel has room for one user of the function graph: switch the guest's own tracer off (xftrace on --tracer nop, or boot without ftrace=), or record without seals: --plain"
    : "";
  return new XftraceError(
    `${interrupted ? "interrupted" : message}; ${become}${busy}`,
    { cause: error, exitCode },
  );
}
