/**
 * How `xftrace off` undoes what `xftrace on` has changed in a guest.
 *
 * @module
 */
import type { Session } from "xftrace";
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
import { openInstance, TraceArray } from "xftrace/ftrace";
import type { RemainingChanges } from "../../collector/end_state.ts";
import type { TraceState } from "../../collector/state.ts";
import { agentTracefs } from "../guest_agent.ts";
import { note, Progress } from "../terminal.ts";

/** The name of the command whose changes are undone, for messages. */
export const WHO = "`xftrace on`";

/**
 * The instance that the trace used; `undefined` when the guest has removed it.
 */
export function steered(
  session: Session,
  name: string | undefined,
): ControlTarget | undefined {
  const there = TraceArray.all(session.kernel)
    .some((instance) => instance.name === name);
  return there ? { session, ...openInstance(session, name) } : undefined;
}

/**
 * Undoes what `on` did. Without --keep recording stays off, unless `on`
 * selected a tracer for it.
 *
 * @returns what could not be undone; all the rest has been.
 */
export async function undo(
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
