/**
 * `xftrace off` of a sealed trace: ends it, verifies what was recorded, and
 * writes what is genuine as trace_graph.txt.
 *
 * @module
 */
import {
  EXIT,
  GuestGoneError,
  type Session,
  shown,
  XftraceError,
} from "xftrace";
import { dirname } from "node:path";
import { resumeModule } from "xftrace/control";
import {
  isClean,
  isOnlyRestarted,
  type ReportedRecording,
  type SealedSummary,
  SealedTracer,
} from "xftrace/seal";
import { shellWord } from "xftrace/targets";
import { ask } from "../../collector/protocol.ts";
import type { Reply } from "../../collector/reply.ts";
import { sealedResult } from "../../collector/sealed_collector.ts";
import {
  type CollectorResult,
  goneReason,
  type SealedState,
  type StateFolder,
  type TraceState,
} from "../../collector/state.ts";
import { writeGraph } from "../traces/graph_file.ts";
import { count, note, out, outJson, shownPath } from "../terminal.ts";
import { whyNotRestarted } from "./restarted.ts";
import {
  verificationExit,
  verificationJson,
  verificationLines,
} from "../commands/verify.ts";

/** What `off --json` prints of a sealed trace, besides the verdict. */
export interface SealedOff {
  readonly target: string;
  readonly reason: string;
  readonly output: string;
  readonly recording: string;
  readonly klog: string;
  readonly lines: number;
  /** `null` when it is not known, since the collector was killed. */
  readonly keySwitches: number | null;
  readonly dropped: { nmi: number; unkeyed: number; nested: number } | null;
  readonly foreign: ReportedRecording["foreign"];
}

/** The result of a trace that was only switched off. */
const TAKEN_BACK: CollectorResult = {
  reason: "the trace could not be continued, and was switched off",
  events: 0,
  kept: 0,
  lines: 0,
  lost: 0,
  dropped: 0,
  truncated: false,
  exact: false,
  resets: 0,
};

/** Where a guest runs that was moved to another VM. */
export interface Moved {
  /** Its target now; `undefined` when that is not known. */
  readonly to: string | undefined;
  /** Whether its module was switched off there. */
  readonly off: boolean;
}

/** The state of a sealed trace. */
export type SealedTrace = TraceState & { readonly sealed: SealedState };

/**
 * Ends a sealed trace and writes its text. Sets the exit code to 2 when
 * anything was tampered with.
 *
 * @param session the guest; `undefined` when it has ended
 * @param moved where it runs if it was moved
 * @throws {GuestGoneError} when the guest has ended; the text has been written.
 */
export async function turnOffSealed(
  session: Session | undefined,
  folder: StateFolder,
  state: SealedTrace,
  options: { readonly output: string; readonly json?: boolean },
  moved?: Moved,
): Promise<void> {
  const result = session === undefined
    ? await endGone(folder)
    : await end(session, folder, state);
  const { sealed } = state;
  const report = writeGraph(
    sealed.recordingPath,
    sealed.klogPath,
    options.output,
    "-o",
  );
  const summary: SealedOff = {
    target: state.target,
    reason: result?.reason ?? "the collector was killed",
    output: options.output,
    recording: sealed.recordingPath,
    klog: sealed.klogPath,
    lines: report.lines,
    keySwitches: result?.sealed?.keySwitches ?? null,
    dropped: result?.sealed?.dropped ?? null,
    foreign: report.foreign,
  };
  const migrated = goneReason("migrated");
  const why = moved?.to !== undefined || summary.reason === migrated
    ? `${migrated} before \`xftrace off\`, and ${
      modulesPlace(moved ?? { to: undefined, off: false })
    }`
    : `${summary.reason} before \`xftrace off\``;
  // The guest says so itself; its processors are believed.
  const notRestarted =
    session === undefined && summary.reason === goneReason("restarted") &&
      isOnlyRestarted(report)
      ? await whyNotRestarted(state.target, report)
      : "";
  const restarted = notRestarted === undefined;
  Deno.exitCode = restarted ? EXIT.gone : verificationExit(report);
  if (options.json === true) {
    outJson({ ...summary, verification: verificationJson(report, false) });
  } else out(summaryText(summary, sealed, report));
  folder.remove();
  if (result?.failed !== undefined) {
    note(`nothing was traced any more from then on: ${result.failed}`);
    if (Deno.exitCode === 0) Deno.exitCode = 1;
  }
  if (!isClean(report) && !restarted) {
    if (notRestarted !== undefined && notRestarted !== "") {
      note(
        `whether ${state.target} was really restarted is not known: ${notRestarted}`,
      );
    }
    // The verdict decides the exit code.
    if (session === undefined && options.json !== true) {
      note(`${state.target}: ${why}`);
    }
    return;
  }
  if (restarted) {
    throw new GuestGoneError(
      `${state.target}: ${why}, as its processors show, which run another kernel now; ${options.output} holds what was collected until then, all of it verified`,
    );
  }
  if (session === undefined) {
    throw new GuestGoneError(
      `${state.target}: ${why}; ${options.output} holds what was collected until then`,
    );
  }
}

/** What is to be done about the module of a guest that was moved. */
function modulesPlace({ to, off }: Moved): string {
  if (off) return `its module in ${to} is off`;
  return to === undefined
    ? "its module runs on elsewhere: run `xftrace off -t TARGET` with the VM that it is now, on its host, to switch it off"
    : `its module runs on in ${to}: run \`xftrace off -t ${
      shellWord(to)
    }\` to switch it off`;
}

/**
 * Switches the module off, when the trace could not be ended in another way.
 * What is left in the guest is said. Otherwise a later `off` need only verify:
 * to it, the module would look as if somebody else had switched it off.
 */
async function takeBack(session: Session, folder: StateFolder): Promise<void> {
  try {
    await SealedTracer.find(session)?.takeBack();
    folder.writeResult(TAKEN_BACK);
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    note(
      `the guest's module may still trace: it could not be switched off: ${error.message}`,
    );
  }
}

/**
 * The result of a trace whose guest has ended; its collector may not have
 * noticed that yet.
 */
async function endGone(
  folder: StateFolder,
): Promise<CollectorResult | undefined> {
  const left = folder.readResult();
  if (left !== undefined) return left;
  const request = { do: "finish", output: "", graph: {} } as const;
  const reply = await ask(folder.socket, request);
  return reply !== undefined && "result" in reply
    ? reply.result
    : folder.readResult();
}

/**
 * Has the collector end the trace, or ends it when the collector is gone. The
 * module is switched off, whatever else fails.
 */
async function end(
  session: Session,
  folder: StateFolder,
  state: SealedTrace,
): Promise<CollectorResult | undefined> {
  let reply: Reply | undefined;
  try {
    reply = await ask(folder.socket, { do: "finish", output: "", graph: {} });
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    // It could not end the trace, perhaps because the disk is full.
    note(error.message);
  }
  if (reply !== undefined && "result" in reply) return reply.result;
  const left = folder.readResult();
  if (left !== undefined) {
    note(`the collector ended before \`xftrace off\`: ${left.reason}`);
    return left;
  }
  note("the collector was killed; what the guest still holds is read now");
  let summary: SealedSummary;
  try {
    if (SealedTracer.find(session) === undefined) {
      note("the guest's module is gone, and with it what was not read by then");
      return undefined;
    }
    const { resume: _, ...files } = state.sealed;
    summary = await resumeModule(session, files).stop();
  } catch (error) {
    await takeBack(session, folder);
    if (!(error instanceof XftraceError)) throw error;
    // What was recorded before is still worth its verdict.
    note(error.message);
    return undefined;
  }
  return sealedResult("the collector was killed", summary);
}

function summaryText(
  summary: SealedOff,
  sealed: SealedState,
  report: ReportedRecording,
): string {
  const { total } = report;
  const { dropped, keySwitches } = summary;
  const lines = [
    `${summary.output}: ${count(summary.lines)} lines of ${
      count(total.verified)
    } verified entries (${sealed.seal}${
      keySwitches === null ? "" : `, ${count(keySwitches)} keys taken`
    })`,
  ];
  const missed = dropped === null
    ? "not known"
    : `${count(dropped.nmi + dropped.nested)} in an NMI or nested, ${
      count(dropped.unkeyed)
    } before the first key`;
  lines.push(
    `lost: ${
      count(total.lost)
    } (overwritten before they were read); not written by the guest: ${missed}`,
  );
  for (const { address, name, as, times } of report.foreign) {
    lines.push(
      `not the kernel's: ${as} ${address}${
        name === undefined ? "" : ` ${name}`
      }, ${count(times)} times`,
    );
  }
  const recording = shownPath(summary.recording);
  if (isClean(report)) {
    lines.push("verified: nothing was added, changed or taken away");
  } else lines.push(...verificationLines(report, false));
  const keys = shownPath(summary.klog);
  const beside = dirname(summary.klog) === dirname(summary.recording);
  lines.push(
    `kept: ${recording}, keys ${keys}; once more: xftrace verify ${
      shellWord(recording)
    }${beside ? "" : ` --klog ${shellWord(keys)}`}`,
  );
  return lines.map((line) => `${shown(line)}\n`).join("");
}
