/**
 * `xftrace off` of a guest that is gone: it has ended, was restarted, or lost its
 * memory. Its collector has noticed that, and kept what there was until then.
 *
 * @module
 */
import { type Guest, GuestGoneError, KernelError, MemoryError } from "xftrace";
import { sleep } from "xftrace/ftrace";
import { FileSink } from "../../collector/file_sink.ts";
import { ask } from "../../collector/protocol.ts";
import {
  isGone,
  type StateFolder,
  stateFolders,
  type TraceState,
} from "../../collector/state.ts";
import { tellResult } from "./off_result.ts";
import { turnOffSealed } from "./off_sealed.ts";
import { openGuest, type TargetOptions } from "../target.ts";
import { note, Progress, size } from "../terminal.ts";

/** What `off` is told. */
export interface GoneOptions extends TargetOptions {
  readonly output: string;
  readonly json?: boolean;
}

/** The trace of a guest that is gone. */
export interface GoneTrace {
  readonly folder: StateFolder;
  readonly state: TraceState;
}

/** How long a collector may take to notice that its guest was restarted, ms. */
const NOTICE_MS = 30_000;
const LOOK_MS = 100;

/**
 * Opens the guest. If that fails because it is just being restarted, waits for
 * its collector, which keeps what there was until then.
 */
export async function openOrGone(
  options: GoneOptions,
): Promise<Guest | GoneTrace> {
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
export async function whenGone(
  options: GoneOptions,
): Promise<GoneTrace | undefined> {
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
export async function turnOffGone(
  { folder, state }: GoneTrace,
  options: GoneOptions,
): Promise<void> {
  const { sealed } = state;
  if (sealed === undefined) finishGone(folder, state, options);
  else await turnOffSealed(undefined, folder, { ...state, sealed }, options);
}

/** The traces that the command may be about. */
function tracesOf({ target }: GoneOptions): GoneTrace[] {
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
export function folderOfGone(options: GoneOptions): GoneTrace | undefined {
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
  options: GoneOptions,
): void {
  const result = folder.readResult();
  if (state.collected === true) {
    folder.remove();
    note(
      `an earlier \`xftrace off\` wrote the text; what it could not undo went with the kernel that ran then, since ${state.target} was restarted`,
    );
    return;
  }
  if (result === undefined) {
    folder.remove();
    throw new GuestGoneError(
      `${state.target}: the guest was restarted before \`xftrace off\`, and the collector was killed: what it had kept cannot be printed without the kernel that it was about`,
    );
  }
  copyTo(options.output, folder.text);
  tellResult(result, options.output);
  note(`${size(Deno.statSync(folder.spool).size)} were collected`);
  folder.remove();
  throw new GuestGoneError(
    `${state.target}: ${result.reason} before \`xftrace off\`; ${options.output} holds what was collected until then`,
  );
}
