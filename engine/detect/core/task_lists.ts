/**
 * The two lists that every task is on, and a second look at tasks that one of
 * them lacks.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";

/**
 * How often the lists are read again while a task is missing from one. Tasks
 * begin and end while the views are read one after the other; those that do are
 * listed, or have ended, a few ms later.
 */
const MOST_PASSES = 8;

/** GVAs of the tasks on each list. */
export interface TaskLists {
  /** The task list, with the threads of each process. */
  readonly listed: ReadonlySet<bigint>;
  /** The table of pids. */
  readonly pids: ReadonlySet<bigint>;
}

/** Names of the lists that lack a task. */
export function missing({ listed, pids }: TaskLists, gva: bigint): string[] {
  return [
    listed.has(gva) ? "" : "the task list",
    pids.has(gva) ? "" : "the pid table",
  ].filter((name) => name !== "");
}

/** How a running guest's tasks are read again. */
export interface TaskReading {
  /**
   * The lists as they are now.
   *
   * @throws {KernelError | MemoryError} when they change too fast to be read.
   */
  lists(): TaskLists;
  /** Whether a task has ended, or its memory is gone. */
  ended(gva: bigint): boolean;
}

/**
 * What has become of tasks that a list lacked, when the lists are read again at
 * once, up to {@linkcode MOST_PASSES} times. Those that are missing each time
 * are not in the result.
 *
 * @param suspects GVAs of the tasks
 */
export function lookAgain(
  suspects: readonly bigint[],
  reading: TaskReading,
): ReadonlyMap<bigint, "listed" | "ended"> {
  const later = new Map<bigint, "listed" | "ended">();
  let pending = suspects;
  for (let pass = 0; pass < MOST_PASSES && pending.length > 0; pass++) {
    let lists: TaskLists;
    try {
      lists = reading.lists();
    } catch (error) {
      if (error instanceof KernelError || error instanceof MemoryError) {
        continue;
      }
      throw error;
    }
    pending = pending.filter((gva) => {
      // Its words may say anything: who it claims to be is not asked.
      if (reading.ended(gva)) later.set(gva, "ended");
      else if (missing(lists, gva).length === 0) later.set(gva, "listed");
      else return true;
      return false;
    });
  }
  return later;
}
