/**
 * `xftrace off`: stops recording, undoes what `on` wrote, and writes the text.
 */
import type { Command } from "@commander-js/extra-typings";
import { existsSync } from "node:fs";
import {
  Guest,
  GuestGoneError,
  type Session,
  settled,
  XftraceError,
} from "xftrace";
import {
  canBeRetried,
  type ControlTarget,
  type Left,
  leftTexts,
  planOff,
  setRecording,
  undoChanges,
  undoTarget,
} from "xftrace/control";
import {
  openInstance,
  readBuffers,
  SpoolReader,
  TraceArray,
  type TraceLayout,
} from "xftrace/ftrace";
import {
  absoluteOutput,
  entryCounts,
  guestTextOptions,
  TEXT,
  type TraceMeta,
  traceMeta,
  type TraceTextOptions,
  unfollowedSettings,
  writeBuffers,
  writeTraceGraph,
} from "xftrace/output";
import { endState, RemainingChanges } from "../../collector/end_state.ts";
import { FileSink } from "../../collector/file_sink.ts";
import { ask } from "../../collector/protocol.ts";
import {
  type CollectorResult,
  isOtherBoot,
  StateFolder,
  type TraceState,
} from "../../collector/state.ts";
import {
  givenGraphOptions,
  type GraphFlags,
  withGraphOptions,
} from "../graph_options.ts";
import { type TargetOptions, withTarget } from "../target.ts";
import { agentTracefs } from "../guest_agent.ts";
import {
  folderOfGone,
  openOrGone,
  turnOffGone,
  whenGone,
} from "../off/off_gone.ts";
import { tellResult } from "../off/off_result.ts";
import { turnOffSealed } from "../off/off_sealed.ts";
import { count, note, outLine, Progress } from "../terminal.ts";

/** The name of the command whose changes are undone, for messages. */
const WHO = "`xftrace on`";

/** The default of `-o`. */
export const DEFAULT_OUTPUT = "trace_graph.txt";

/** Values of the options of `off`. */
export interface OffOptions extends TargetOptions, GraphFlags {
  readonly output: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

/** Registers `xftrace off` on the program. */
export function registerOff(program: Command): void {
  withGraphOptions(withTarget(program.command("off")))
    .summary("stop recording, and write trace_graph.txt")
    .description(
      "Stops recording, undoes what `xftrace on` changed in the guest, and writes\n" +
        "what was collected as trace_graph.txt. Entries of a sealed trace are verified\n" +
        "first; the exit code is 2 when anything was tampered with.",
    )
    .option("-o, --output <file>", "the file to write", DEFAULT_OUTPUT)
    .option("--keep", "set recording back to what it was before `xftrace on`")
    .option("--json", "print the verdict on a sealed trace as JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace off
  xftrace off -t qemu:web1 -o web1.txt --abstime --proc`,
    )
    .action((options) => turnOff(options));
}

/**
 * Ends a trace. Recording is stopped first, so that the last read gets
 * everything; then the collector writes its text; then the other changes of
 * `xftrace on` are undone.
 *
 * @throws {GuestGoneError} when the guest has ended; the text has been written.
 */
export async function turnOff(options: OffOptions): Promise<void> {
  const ended = folderOfGone(options);
  if (ended !== undefined) return await turnOffGone(ended, options);
  const opened = await openOrGone(options);
  if (!(opened instanceof Guest)) return await turnOffGone(opened, options);
  using guest = opened;
  const { session } = guest;
  if (session.key === undefined) {
    throw new XftraceError(
      `${session.target} is no running guest: there is nothing to switch off`,
    );
  }
  const folder = new StateFolder(session.key);
  const state = folder.read();
  if (state === undefined) {
    await offWithoutOn(session, options);
    return;
  }
  if (isOtherBoot(session, state) || await settled(session) !== undefined) {
    await turnOffGone(
      await whenGone(options) ?? { folder, state },
      options,
    );
    return;
  }
  session.memory.makeWritable();
  const { sealed } = state;
  if (sealed !== undefined) {
    await turnOffSealed(session, folder, { ...state, sealed }, options);
    return;
  }
  const target = steered(session, state.instance);
  if (target !== undefined) {
    await setRecording(target, false);
    noteUnfollowed(target.instance);
  }
  // An earlier `off` has written the text, or `on` may have been killed before
  // there was a collector.
  const collecting = state.collected !== true && existsSync(folder.spool)
    ? await drain(session, folder, state)
    : undefined;
  // Before the text is written: whatever becomes of that, the guest is left as
  // it was.
  const left = await undo(
    target,
    session,
    state,
    new RemainingChanges(folder, state),
    options.keep === true,
  );
  const result = collecting === undefined
    ? undefined
    : await collect(folder, state, options, collecting);
  if (result !== undefined) tellResult(result, options.output);
  else if (state.collected === true) {
    note("an earlier `xftrace off` wrote the text");
  } else note("nothing was collected: `xftrace on` ended before it began");
  const notUndone = endState(folder, state, left, WHO);
  if (notUndone !== undefined) throw notUndone;
  if (result?.failed !== undefined) throw cutShort(result.failed, options);
}

/** The error about a collector that could not write a file. */
function cutShort(failed: string, { output }: OffOptions): XftraceError {
  return new XftraceError(
    `nothing was collected any more from then on: ${failed}; ${output} holds what was collected until then`,
  );
}

/**
 * The instance that the trace used; `undefined` when the guest has removed it.
 */
function steered(
  session: Session,
  name: string | undefined,
): ControlTarget | undefined {
  const there = TraceArray.all(session.kernel)
    .some((instance) => instance.name === name);
  return there ? { session, ...openInstance(session, name) } : undefined;
}

/** Names the guest's display settings that the text does not follow. */
function noteUnfollowed(instance: TraceArray): void {
  const text = guestTextOptions(instance);
  for (const each of unfollowedSettings(instance.tracer, text)) note(each);
}

/**
 * Undoes what `on` did. Without --keep recording stays off, unless `on`
 * selected a tracer for it.
 *
 * @returns what could not be undone; all the rest has been.
 */
async function undo(
  target: ControlTarget | undefined,
  session: Session,
  state: TraceState,
  remaining: RemainingChanges,
  keep: boolean,
): Promise<Left[]> {
  const gone = target === undefined ? state.instance : undefined;
  const { undo, recordAgain } = planOff(state, { keep, gone });
  using progress = new Progress();
  const byAgent = undo.some(({ way, change }) =>
    way !== "word" && change.by === "agent"
  );
  using tracefs = byAgent ? agentTracefs(session) : null;
  const left = await undoChanges(
    tracefs === null
      ? undoTarget(session)
      : { kernel: session.kernel, tracefs },
    undo,
    {
      onUndone: (one) => remaining.remove(one),
      onWait: ({ said }) =>
        progress.update(`the ${byAgent ? "agent" : "module"}: ${said}`),
    },
  );
  const theirs = left.filter((one) => !canBeRetried(one));
  for (const each of leftTexts(theirs, WHO)) note(each);
  // Not while the tracer that `on` selected is still there: it would record.
  const stuck = left.filter(({ why }) => why === "no module");
  if (recordAgain && stuck.length === 0 && target !== undefined) {
    await setRecording(target, true);
    if (!state.byFiles) note("recording is on, as it was before");
  } else if (state.wasRecording && !state.byFiles) {
    note(
      "the guest was recording before `xftrace on`; recording is off now (--keep leaves it as it was)",
    );
  }
  return left;
}

/** What the text needs to know of the guest while it is traced. */
interface Described {
  readonly layout: TraceLayout;
  readonly meta: TraceMeta;
  readonly options: TraceTextOptions;
}

/**
 * Has the collector read what is left, and reads what the text needs: once the
 * changes are undone, the guest's buffers may be empty, and its tracer another.
 *
 * @returns what the text needs, or why that cannot be read; a collector that is
 * still there has read it itself
 */
async function drain(
  session: Session,
  folder: StateFolder,
  state: TraceState,
): Promise<Described | Error> {
  try {
    await ask(folder.socket, { do: "drain" });
    const { instance, events, layout } = openInstance(session, state.instance);
    return {
      layout,
      meta: traceMeta(instance, events, layout),
      options: guestTextOptions(instance),
    };
  } catch (error) {
    if (error instanceof GuestGoneError || !(error instanceof Error)) {
      throw error;
    }
    return error;
  }
}

/**
 * Has the collector write the text, or writes it when the collector is gone.
 */
async function collect(
  folder: StateFolder,
  state: TraceState,
  options: OffOptions,
  described: Described | Error,
): Promise<CollectorResult> {
  const output = absoluteOutput(options.output);
  const graph = givenGraphOptions(options);
  const reply = await ask(folder.socket, { do: "finish", output, graph });
  if (reply !== undefined && "result" in reply) return reply.result;
  const left = folder.readResult();
  note(
    "the collector ended before `xftrace off`" +
      (left === undefined
        ? "; what it kept until then is written"
        : `: ${left.reason}`),
  );
  if (described instanceof Error) throw described;
  using spool = new SpoolReader(folder.spool, described.layout);
  using file = new FileSink(output);
  const guest = described.options;
  const summary = writeTraceGraph(
    spool,
    {
      meta: described.meta,
      options: { ...guest, graph: { ...guest.graph, ...graph } },
      target: state.target,
    },
    state.roots,
    (chunk) => file.write(chunk),
  );
  file.commit();
  return {
    reason: "the collector ended early",
    ...summary,
    exact: false,
    resets: 0,
    ...(left?.failed === undefined ? {} : { failed: left.failed }),
  };
}

/** `off` without `on`: stops recording and writes what the buffers hold. */
async function offWithoutOn(
  session: Session,
  options: OffOptions,
): Promise<void> {
  const { instance, events, layout } = openInstance(session);
  await setRecording({ session, instance, events }, false);
  noteUnfollowed(instance);
  const reading = readBuffers(instance, layout);
  using file = new FileSink(options.output);
  const guest = guestTextOptions(instance);
  const graph = { ...guest.graph, ...givenGraphOptions(options) };
  writeBuffers(
    reading,
    {
      meta: traceMeta(instance, events, layout),
      options: { ...guest, graph },
      target: session.target,
    },
    TEXT.writer((chunk) => file.write(chunk)),
  );
  file.commit();
  const { entries, written } = entryCounts(reading);
  note("`xftrace on` was not run: this is what the guest's buffers held");
  outLine(
    `${options.output}: ${count(entries)} events; overwritten before: ${
      count(written - entries)
    }`,
  );
}
