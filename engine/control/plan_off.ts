/**
 * Plans `xftrace off`: what of that which `xftrace on` did is taken back, and
 * whether the guest records when all is done.
 *
 * @module
 */
import type { Applied } from "./applied.ts";
import { folderOf } from "./plan_tracefs.ts";

/** What `xftrace on` left behind. */
export interface OnRecord {
  /** What was carried out, in order. */
  readonly applied: readonly Applied[];
  /** Whether the guest was recording before. */
  readonly wasRecording: boolean;
  /** Whether files of tracefs were set for it, by the module or the agent. */
  readonly byFiles: boolean;
}

/** What `xftrace off` does once recording is off and all is collected. */
export interface OffPlan {
  /** What is taken back, in the order in which it was done. */
  readonly undo: readonly Applied[];
  /** Whether the guest is to record again. */
  readonly recordAgain: boolean;
}

/** Words that belong to no instance. */
const GLOBAL = new Set(["graph roots", "max_graph_depth"]);

/** What `xftrace off` is told. */
export interface OffRequest {
  /** Leave recording as it was before. */
  readonly keep: boolean;
  /**
   * The instance that was steered, when the guest has removed it: what was
   * changed in it went with it, and its memory is somebody else's.
   */
  readonly gone: string | undefined;
}

/**
 * Plans it.
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
    // `off` has switched recording itself, before all else.
    undo: applied.filter((one) =>
      isThere(one) && (one.way !== "word" || one.change.what !== "tracing_on")
    ),
    // With another tracer than its own again, the guest goes on as it did.
    recordAgain: wasRecording && (byFiles ? !made : keep),
  };
}
