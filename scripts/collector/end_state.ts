/**
 * What `xftrace off` does with the state of a trace: it is removed, unless
 * another `off` may undo what this one could not.
 *
 * @module
 */
import { XftraceError } from "xftrace";
import {
  type Applied,
  appliedBefore,
  canBeRetried,
  type Left,
} from "xftrace/control";
import type { StateFolder, TraceState } from "./state.ts";

/**
 * The changes of a trace that are still to be undone, kept in its state: if
 * `off` fails or is killed midway, the next one does not undo again what this
 * one has undone.
 */
export class RemainingChanges {
  readonly #folder: StateFolder;
  #state: TraceState;

  /** Writes the state. */
  constructor(folder: StateFolder, state: TraceState) {
    this.#folder = folder;
    this.#state = state;
    folder.write(state);
  }

  /** Records that a change has been undone. */
  remove(undone: Applied): void {
    const applied = this.#state.applied.filter((one) => one !== undone);
    this.#state = { ...this.#state, applied };
    this.#folder.write(this.#state);
  }
}

/**
 * Ends a trace whose text has been written, or keeps the part of its state that
 * the next `off` needs to try again.
 *
 * @param who made the changes, for messages
 * @param left the changes that were not undone
 * @returns an error that names what another `off` may undo, if there is any
 */
export function endState(
  folder: StateFolder,
  state: TraceState,
  left: readonly Left[],
  who: string,
): XftraceError | undefined {
  const again = new Set(
    left.filter(canBeRetried).map(({ applied }) => applied),
  );
  if (again.size === 0) {
    folder.remove();
    return undefined;
  }
  folder.write({
    ...state,
    collected: true,
    // In the order in which they were made.
    applied: state.applied.filter((one) => again.has(one)),
  });
  const { stuck = [], failed = [] } = Object.groupBy(
    left.filter(canBeRetried),
    ({ why }) => why === "no module" ? "stuck" : "failed",
  );
  const reasons = Map.groupBy(failed, ({ reason }) => reason);
  const names = (those: readonly Left[]) =>
    those.map(({ applied }) => appliedBefore(applied)).join(", ");
  const what = stuck.length > 0
    ? `the guest's module has been unloaded, so these are as ${who} set them: ${
      names(stuck)
    }; load the module or set them in the guest`
    : `not set back: ${
      [...reasons].map(([reason, those]) => `${names(those)}: ${reason}`)
        .join("; ")
    }`;
  return new XftraceError(
    `${what}; \`xftrace off\` tries again (to leave it so, remove ${folder.path})`,
  );
}
