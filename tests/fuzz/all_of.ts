/**
 * Runs what may each end with an error that is foreseen.
 *
 * @module
 */
import { XftraceError } from "../../engine/base/errors.ts";

/** Makes all attempts, whichever of them end with an error that is foreseen. */
export function allOf(attempts: Iterable<() => unknown>): void {
  for (const attempt of attempts) {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
    }
  }
}
