/**
 * `xftrace off` of a guest that is gone: it has ended, was restarted, or lost its
 * memory. Its collector has noticed that, and kept what there was until then.
 *
 * @module
 */
import { basename } from "node:path";
import { type Guest, GuestGoneError, KernelError, MemoryError } from "xftrace";
import { sleep } from "xftrace/ftrace";
import { lockGuest } from "../../collector/guest_lock.ts";
import { ask } from "../../collector/protocol.ts";
import {
  goneReason,
  isGone,
  type StateFolder,
  stateFolders,
  type TraceState,
} from "../../collector/state.ts";
import { openGuest } from "../target.ts";
import { note, Progress, size } from "../terminal.ts";
import { bringText, collectedText, finishCollector } from "./collected.ts";
import { keepForMoved, type KeptTrace, whereItRuns } from "./moved.ts";
import { turnOffSealed } from "./sealed.ts";
import { noTrace, type OffOptions, tell, WHO_OFF } from "./text.ts";

/** The trace of a guest that is gone. */
export type GoneTrace = KeptTrace;

/** How long a collector may take to notice that its guest was restarted, ms. */
const NOTICE_MS = 30_000;
const LOOK_MS = 100;

/**
 * Opens the guest. If that fails because it is just being restarted, waits for
 * its collector, which keeps what there was until then.
 *
 * @param wanted the target whose trace it is
 */
export async function openOrGone(
  wanted: string,
  options: OffOptions,
): Promise<Guest | GoneTrace> {
  try {
    return await openGuest({ ...options, target: wanted }, { steered: true });
  } catch (error) {
    // Its memory holds no kernel, or parts of one.
    if (!(error instanceof KernelError || error instanceof MemoryError)) {
      throw error;
    }
    const gone = await whenGone(wanted);
    if (gone === undefined) throw error;
    return gone;
  }
}

/**
 * Waits until the collector has noticed that its guest is gone; `undefined` when
 * there is no collector, or it does not notice anything.
 */
export async function whenGone(
  wanted: string | undefined,
  noticeMs = NOTICE_MS,
): Promise<GoneTrace | undefined> {
  using progress = new Progress();
  const until = performance.now() + noticeMs;
  for (;;) {
    const gone = folderOfGone(wanted);
    if (gone !== undefined || performance.now() > until) return gone;
    const asked = tracesOf(wanted).map(({ folder }) =>
      ask(folder.socket, { do: "status" })
    );
    // It may have ended between the two.
    if ((await Promise.all(asked)).every((reply) => reply === undefined)) {
      return folderOfGone(wanted);
    }
    progress.update("the guest seems to be gone, or to start again");
    await sleep(LOOK_MS);
  }
}

/** Ends a trace of a guest that is gone. */
export async function turnOffGone(
  { folder, state }: GoneTrace,
  options: OffOptions,
): Promise<void> {
  using _ = lockGuest(basename(folder.path), state.target, WHO_OFF);
  await endGone({ folder, state }, options);
}

/**
 * Ends a trace of a guest that is gone; the caller holds the guest's lock.
 *
 * @throws {GuestGoneError} afterwards.
 */
export async function endGone(
  { folder, state }: GoneTrace,
  options: OffOptions,
): Promise<void> {
  // Another `off` may have been faster.
  if (!folder.exists()) throw noTrace();
  const { sealed } = state;
  if (sealed !== undefined) {
    const to = await whereItRuns({ folder, state });
    await turnOffSealed(undefined, folder, { ...state, sealed }, options, {
      to,
      off: false,
    });
  } else await finishGone(folder, state, options);
}

/** The traces that the command may be about. */
function tracesOf(wanted: string | undefined): GoneTrace[] {
  return stateFolders().flatMap((folder) => {
    const state = folder.read();
    return state !== undefined &&
        (wanted === undefined || wanted === state.target)
      ? [{ folder, state }]
      : [];
  });
}

/** The trace of a guest that is gone, if the command is about one. */
export function folderOfGone(
  wanted: string | undefined,
): GoneTrace | undefined {
  for (const folder of stateFolders()) {
    const state = folder.read();
    if (state === undefined) continue;
    const runs = folder.guestRuns();
    if (state.collected === true && !runs && state.migrated !== true) {
      // The text has been written, and there is nothing left to undo.
      folder.remove();
      continue;
    }
    const result = folder.readResult();
    if (runs && (result === undefined || !isGone(result))) continue;
    if (wanted === undefined || wanted === state.target) {
      return { folder, state };
    }
  }
  return undefined;
}

/**
 * Copies the text that the collector wrote when its guest was gone, or has it
 * write that now.
 *
 * @throws {GuestGoneError} afterwards.
 */
async function finishGone(
  folder: StateFolder,
  state: TraceState,
  options: OffOptions,
): Promise<void> {
  const trace = { folder, state };
  if (state.migrated === true) {
    throw keepForMoved(trace, await whereItRuns(trace), undefined);
  }
  if (state.collected === true) {
    folder.remove();
    note(
      `an earlier \`xftrace off\` wrote the text; what it could not undo went with the kernel that ran then, since ${state.target} was restarted`,
    );
    return;
  }
  const result = folder.readResult() ?? await finishCollector(folder, options);
  const text = result === undefined ? undefined : collectedText(folder, result);
  const brought = text !== undefined && bringText(text, options.output);
  const to = await whereItRuns(trace);
  const moved = to !== undefined || result?.reason === goneReason("migrated");
  if (result === undefined) {
    if (moved) throw keepForMoved(trace, to, undefined);
    folder.remove();
    throw new GuestGoneError(
      `${state.target}: the guest ended or was restarted before \`xftrace off\`, and the collector was killed: what it had kept cannot be printed without the kernel that it was about`,
    );
  }
  if (!brought) {
    if (moved) throw keepForMoved(trace, to, undefined);
    folder.remove();
    throw new GuestGoneError(
      `${state.target}: the guest is gone, and so is what an earlier \`xftrace off\` wrote to ${text}: without the kernel that it was about it cannot be written again`,
    );
  }
  tell(result, options.output);
  note(`${size(Deno.statSync(folder.spool).size)} were collected`);
  if (moved) throw keepForMoved(trace, to, options.output);
  folder.remove();
  throw new GuestGoneError(
    `${state.target}: ${
      result.failed ??
        (isGone(result) ? result.reason : "the guest ended or was restarted")
    } before \`xftrace off\`; ${options.output} holds what was collected until then`,
  );
}
