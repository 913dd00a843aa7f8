/**
 * `xftrace off`: stops recording, undoes what `on` wrote, and writes the text.
 */
import type { Command } from "@commander-js/extra-typings";
import { existsSync } from "node:fs";
import {
  Guest,
  GuestGoneError,
  KernelError,
  MemoryError,
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
  sleep,
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
  isGone,
  StateFolder,
  stateFolders,
  type TraceState,
} from "../../collector/state.ts";
import {
  givenGraphOptions,
  type GraphFlags,
  withGraphOptions,
} from "../graph_options.ts";
import { openGuest, type TargetOptions, withTarget } from "../target.ts";
import { agentTracefs } from "../guest_agent.ts";
import { turnOffSealed } from "../off_sealed.ts";
import { count, note, outLine, Progress, size } from "../terminal.ts";

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
  if (result !== undefined) tell(result, options.output);
  else if (state.collected === true) {
    note("an earlier `xftrace off` wrote the text");
  } else note("nothing was collected: `xftrace on` ended before it began");
  const notUndone = endState(folder, state, left, WHO);
  if (notUndone !== undefined) throw notUndone;
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
      (left === undefined ? "; what it kept until then is written" : ""),
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
  };
}

/** Prints how much was collected, and how much is missing. */
function tell(result: CollectorResult, output: string): void {
  const lines = `${count(result.lines)} lines`;
  const filtered = result.kept < result.events
    ? ` (${count(result.kept)} under the functions asked for)`
    : "";
  outLine(
    `${output}: ${count(result.events)} events collected${filtered}, ${lines}`,
  );
  const lost = `lost: ${count(result.lost)}`;
  const dropped = result.dropped > 0
    ? `, dropped by the guest: ${count(result.dropped)}`
    : "";
  const sure = result.exact
    ? "counts equal the guest's own"
    : "counts could not be compared with the guest's";
  outLine(`${lost}${dropped} (${sure})`);
  if (result.resets > 0) {
    const blind = result.blindResets ?? result.resets;
    note(
      `the guest emptied a CPU's buffer ${result.resets} times; ` +
        (blind === 0
          ? "all had been read by then"
          : `what was not read by then, ${blind} times, is not counted`),
    );
  }
  if (result.truncated) {
    note("the collector's file was cut short; all whole polls were used");
  }
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

/** The trace of a guest that is gone. */
interface GoneTrace {
  readonly folder: StateFolder;
  readonly state: TraceState;
}

/** How long a collector may take to notice that its guest was restarted, ms. */
const NOTICE_MS = 30_000;
const LOOK_MS = 100;

/** Whether a trace is about an earlier boot of the guest. */
function isOtherBoot(
  { kernel }: Session,
  { boot }: Pick<TraceState, "boot">,
): boolean {
  return boot !== undefined && boot !== kernel.origin?.boot;
}

/**
 * Opens the guest. If that fails because it is just being restarted, waits for
 * its collector, which keeps what there was until then.
 */
async function openOrGone(options: OffOptions): Promise<Guest | GoneTrace> {
  try {
    return await openGuest(options, { steered: true });
  } catch (error) {
    // Its memory holds no kernel, or parts of one.
    if (!(error instanceof KernelError || error instanceof MemoryError)) {
      throw error;
    }
    const gone = await whenGone(options);
    if (gone === undefined) throw error;
    return gone;
  }
}

/**
 * Waits until the collector has noticed that its guest is gone; `undefined` when
 * there is no collector, or it does not notice anything.
 */
async function whenGone(options: OffOptions): Promise<GoneTrace | undefined> {
  using progress = new Progress();
  const until = performance.now() + NOTICE_MS;
  for (;;) {
    const gone = folderOfGone(options);
    if (gone !== undefined || performance.now() > until) return gone;
    const asked = tracesOf(options).map(({ folder }) =>
      ask(folder.socket, { do: "status" })
    );
    // It may have ended between the two.
    if ((await Promise.all(asked)).every((reply) => reply === undefined)) {
      return folderOfGone(options);
    }
    progress.update("the guest seems to be starting again");
    await sleep(LOOK_MS);
  }
}

/** Ends a trace of a guest that is gone. */
async function turnOffGone(
  { folder, state }: GoneTrace,
  options: OffOptions,
): Promise<void> {
  const { sealed } = state;
  if (sealed === undefined) finishGone(folder, state, options);
  else await turnOffSealed(undefined, folder, { ...state, sealed }, options);
}

/** The traces that the command may be about. */
function tracesOf({ target }: OffOptions): GoneTrace[] {
  const wanted = target ?? Deno.env.get("XFTRACE_TARGET");
  return stateFolders().flatMap((folder) => {
    const state = folder.read();
    return state !== undefined &&
        (wanted === undefined || wanted === state.target)
      ? [{ folder, state }]
      : [];
  });
}

/** The state folder of a guest that is gone, if the command is about one. */
function folderOfGone(options: OffOptions): GoneTrace | undefined {
  const wanted = options.target ?? Deno.env.get("XFTRACE_TARGET");
  for (const folder of stateFolders()) {
    const state = folder.read();
    if (state === undefined) continue;
    if (state.collected === true && !folder.guestRuns()) {
      // The text has been written, and there is nothing left to undo.
      folder.remove();
      continue;
    }
    const result = folder.readResult();
    const ended = result !== undefined && isGone(result);
    // The collector was killed before the guest ended: keys and recording
    // remain.
    const orphan = state.sealed !== undefined && !folder.guestRuns();
    if (!ended && !orphan) continue;
    if (wanted === undefined || wanted === state.target) {
      return { folder, state };
    }
  }
  return undefined;
}

/** Copies a file of the collector's piece by piece: it may be large. */
function copyTo(output: string, from: string): void {
  using source = Deno.openSync(from);
  using file = new FileSink(output);
  const piece = new Uint8Array(1 << 20);
  for (;;) {
    const got = source.readSync(piece);
    if (got === null) break;
    file.write(piece.subarray(0, got));
  }
  file.commit();
}

/** Copies the text that the collector wrote when its guest was gone. */
function finishGone(
  folder: StateFolder,
  state: TraceState,
  options: OffOptions,
): void {
  const result = folder.readResult();
  if (result === undefined) {
    folder.remove();
    throw new GuestGoneError(
      `${state.target}: the guest was restarted before \`xftrace off\`, and the collector was killed: what it had kept cannot be printed without the kernel that it was about`,
    );
  }
  copyTo(options.output, folder.text);
  tell(result, options.output);
  note(`${size(Deno.statSync(folder.spool).size)} were collected`);
  folder.remove();
  throw new GuestGoneError(
    `${state.target}: ${result.reason} before \`xftrace off\`; ${options.output} holds what was collected until then`,
  );
}
