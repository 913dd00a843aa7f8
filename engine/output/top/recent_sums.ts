/**
 * Sums of calls that also know what was in the last intervals.
 *
 * @module
 */
import { CallSums } from "../formats/html_calls.ts";
import { SyscallSums } from "../formats/html_syscalls.ts";
import { RecentCalls } from "./recent.ts";

/** Sums of functions that also know the last intervals. */
export class RecentFunctions extends CallSums {
  /** The number of the interval that runs. */
  interval = 0;
  /** All calls; of their time, what was not within another one's. */
  readonly all = new RecentCalls();
  readonly recent = new Map<number, RecentCalls>();

  /** Adds a call; see `CallSums.add`. */
  override add(
    node: number,
    name: number,
    duration: number,
    self: number,
    outermost: boolean,
  ): void {
    super.add(node, name, duration, self, outermost);
    this.all.add(this.interval, duration, self);
    if (!this.functions.has(name)) return;
    recentOf(this.recent, name)
      .add(this.interval, duration, outermost ? duration : 0);
  }
}

/** Sums of system calls that also know the last intervals. */
export class RecentSyscalls extends SyscallSums {
  /** The number of the interval that runs. */
  interval = 0;
  readonly recent = new Map<string, RecentCalls>();

  /** Adds a call of a process that has ended. */
  protected override timed(
    process: number,
    name: number,
    duration: number,
  ): void {
    recentOf(this.recent, `${process} ${name}`)
      .add(this.interval, duration, duration);
  }
}

function recentOf<K>(all: Map<K, RecentCalls>, key: K): RecentCalls {
  let recent = all.get(key);
  if (recent === undefined) {
    recent = new RecentCalls();
    all.set(key, recent);
  }
  return recent;
}

/** How often a type of events came. */
export interface EventCount {
  calls: number;
  readonly recent: RecentCalls;
}
