/**
 * `xftrace off`: stops recording, undoes what `on` wrote, and writes the text.
 */
import type { Command } from "@commander-js/extra-typings";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import {
  Guest,
  GuestGoneError,
  type Session,
  settled,
  XftraceError,
} from "xftrace";
import { setRecording } from "xftrace/control";
import { openInstance, SpoolReader, type TraceLayout } from "xftrace/ftrace";
import {
  guestTextOptions,
  type TraceMeta,
  traceMeta,
  type TraceTextOptions,
  writeTraceGraph,
} from "xftrace/output";
import { shellWord } from "xftrace/targets";
import { endState, RemainingChanges } from "../../collector/end_state.ts";
import { FileSink } from "../../collector/file_sink.ts";
import {
  collectorAnswers,
  lockGuest,
  removeUnbegun,
} from "../../collector/guest_lock.ts";
import { ask } from "../../collector/protocol.ts";
import {
  type CollectorResult,
  isOtherBoot,
  StateFolder,
  stateFolders,
  type TraceState,
} from "../../collector/state.ts";
import { givenGraphOptions, withGraphOptions } from "../graph_options.ts";
import { withTarget } from "../target.ts";
import { bringText, collectedText, finishCollector } from "../off/collected.ts";
import {
  endGone,
  folderOfGone,
  openOrGone,
  turnOffGone,
  whenGone,
} from "../off/gone.ts";
import {
  isMovedTo,
  type KeptTrace,
  movedTrace,
  switchModuleOff,
  whereItRuns,
} from "../off/moved.ts";
import { turnOffSealed } from "../off/sealed.ts";
import {
  noteUnfollowed,
  noTrace,
  type OffOptions,
  tell,
  WHO_OFF,
} from "../off/text.ts";
import { steered, undo, WHO } from "../off/undo.ts";
import { offWithoutOn } from "../off/without_on.ts";
import { note, Progress, size } from "../terminal.ts";

/** The default of `-o`. */
export const DEFAULT_OUTPUT = "trace_graph.txt";

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
  const named = options.target ?? Deno.env.get("XFTRACE_TARGET");
  const ended = folderOfGone(named);
  if (ended !== undefined && !await isMovedTo(named, ended)) {
    return await turnOffGone(ended, options);
  }
  const opened = await openOrGone(named ?? targetOfTrace(), options);
  if (!(opened instanceof Guest)) return await turnOffGone(opened, options);
  using guest = opened;
  const { session } = guest;
  if (session.key === undefined) {
    throw new XftraceError(
      `${session.target} is no running guest: there is nothing to switch off`,
    );
  }
  using _ = lockGuest(session.key, session.target, WHO_OFF);
  const own = new StateFolder(session.key);
  const begun = own.read();
  const moved = begun === undefined ? await movedTrace(session) : undefined;
  using __ = moved === undefined
    ? undefined
    : lockGuest(basename(moved.folder.path), moved.state.target, WHO_OFF);
  const { folder, state } = moved ?? { folder: own, state: begun };
  if (state === undefined) {
    // An `on` that was killed at once may have made it.
    folder.remove();
    if (named === undefined) throw noTrace();
    session.memory.makeWritable();
    await offWithoutOn(session, options);
    return;
  }
  if (await leftUnseen(session, { folder, state })) {
    return await endGone({ folder, state }, options);
  }
  if (isOtherBoot(session, state) || await settled(session) !== undefined) {
    const gone = await whenGone(state.target) ?? { folder, state };
    return await endGone(gone, options);
  }
  session.memory.makeWritable();
  await collectorAnswers(folder);
  const { sealed } = state;
  if (moved !== undefined) await whenGone(state.target, MOVED_MS);
  if (sealed !== undefined && moved !== undefined) {
    await switchModuleOff(session);
    return await turnOffSealed(
      undefined,
      folder,
      { ...state, sealed },
      options,
      { to: session.target, off: true },
    );
  }
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
  if (result?.failed !== undefined) throw cutShort(result.failed, options);
  if (moved === undefined) noteUncertain(session);
  else if (result !== undefined) {
    throw new GuestGoneError(
      `${state.target}: the guest was migrated to ${session.target} before \`xftrace off\`; what \`xftrace on\` had set is set back there, and ${options.output} holds what was collected until then`,
    );
  }
}

/**
 * Whether a guest that stands still was moved to another VM of this host, though
 * its own monitor does not tell.
 */
async function leftUnseen(
  session: Session,
  trace: KeptTrace,
): Promise<boolean> {
  await settled(session);
  return standsStill(session) && await whereItRuns(trace) !== undefined;
}

/** How long a collector may take to notice that its guest was moved, ms. */
const MOVED_MS = 5000;
/** How long a clock has stood still when nothing is known of the guest, ms. */
const STILL_MS = 300;

function standsStill({ kernel, whereabouts }: Session): boolean {
  return (kernel.origin?.stillMs() ?? 0) > STILL_MS &&
    whereabouts?.() === "unknown";
}

/** Says that what was written may be of no use. */
function noteUncertain(session: Session): void {
  if (!standsStill(session)) return;
  note(
    `${session.target} stands still, and its monitor does not tell why: if it was migrated away, what was set back is set back only in memory that nobody runs any more; run \`xftrace off\` where it runs now as well`,
  );
}

/** The error about a collector that could not write a file. */
function cutShort(failed: string, { output }: OffOptions): XftraceError {
  return new XftraceError(
    `nothing was collected any more from then on: ${failed}; ${output} holds what was collected until then`,
  );
}

/**
 * The target of the only trace of `xftrace on`: a guest on which there is none
 * is not touched, unless it is named.
 *
 * @throws {XftraceError} when there is none, or more than one.
 */
function targetOfTrace(): string {
  const targets = stateFolders().filter((folder) => folder.guestRuns())
    .map((folder) => folder.read()?.target)
    .filter((target) => target !== undefined);
  const [only, another] = targets;
  if (only === undefined) {
    removeUnbegun(WHO_OFF);
    throw noTrace();
  }
  if (another === undefined) return only;
  throw new XftraceError(
    `traces of ${targets.length} guests are on; name one of them with -t: ${
      targets.map(shellWord).join(", ")
    }`,
  );
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
      meta: traceMeta(instance, events, layout, {
        part: instance.current(),
      }),
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
  const result = await finishCollector(folder, options);
  if (
    result !== undefined &&
    bringText(collectedText(folder, result), options.output)
  ) return result;
  const left = folder.readResult();
  note(
    "the collector ended before `xftrace off`" +
      (left === undefined
        ? "; what it kept until then is written"
        : `: ${left.reason}`),
  );
  if (described instanceof Error) throw described;
  using spool = new SpoolReader(folder.spool, described.layout);
  using file = new FileSink(options.output);
  using progress = new Progress();
  let bytes = 0;
  const guest = described.options;
  const summary = writeTraceGraph(
    spool,
    {
      meta: described.meta,
      options: {
        ...guest,
        graph: { ...guest.graph, ...givenGraphOptions(options) },
      },
      target: state.target,
    },
    state.roots,
    (chunk) => {
      file.write(chunk);
      bytes += chunk.length;
      progress.update(() => `${size(bytes)} written`);
    },
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
