/**
 * Plans `xftrace off`: which of the changes by `xftrace on` are undone, and
 * whether the guest records afterwards.
 *
 * @module
 */
import type { Applied } from "./applied.ts";
import { folderOf } from "./plan_tracefs.ts";

/** The record that `xftrace on` left. */
export interface OnRecord {
  /** The changes made, in order. */
  readonly applied: readonly Applied[];
  /** Whether the guest was recording before. */
  readonly wasRecording: boolean;
  /** Whether tracefs files were set for it, through the module or the agent. */
  readonly byFiles: boolean;
}

/**
 * What `xftrace off` does once recording is off and everything is collected.
 */
export interface OffPlan {
  /** The changes to undo, in the order in which they were made. */
  readonly undo: readonly Applied[];
  /** Whether the guest is to record again. */
  readonly recordAgain: boolean;
}

/** Changes that do not belong to an instance. */
const GLOBAL = new Set(["graph roots", "max_graph_depth"]);

/** The options of `xftrace off`. */
export interface OffRequest {
  /** Leave the recording switch as it was before. */
  readonly keep: boolean;
  /**
   * The instance that was used, if the guest has removed it: the changes in it
   * went with it, and its memory may belong to something else.
   */
  readonly gone: string | undefined;
}

/**
 * Makes the plan.
 *
 * @example
 * ```ts
 * import { planOff } from "xftrace/control";
 *
 * const off = planOff(
 *   { applied: [], wasRecording: true, byFiles: false },
 *   { keep: true, gone: undefined },
 * );
 * console.log(off.recordAgain); // true
 * ```
 */
export function planOff(
  { applied, wasRecording, byFiles }: OnRecord,
  { keep, gone }: OffRequest,
): OffPlan {
  const made = applied.some(({ way }) => way === "instance");
  const isThere = (one: Applied) =>
    gone === undefined ||
    (one.way === "word"
      ? GLOBAL.has(one.change.what)
      : one.way === "tracefs" && !one.change.path.startsWith(folderOf(gone)));
  return {
    // `off` has already switched recording itself, before anything else.
    undo: applied.filter((one) =>
      isThere(one) && (one.way !== "word" || one.change.what !== "tracing_on")
    ),
    // With its own tracer restored, the guest continues recording as before.
    recordAgain: wasRecording && (byFiles ? !made : keep),
  };
}
