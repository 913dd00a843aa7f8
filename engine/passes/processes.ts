/**
 * The tree of processes, from the guest's task list and the forks in the trace
 * itself.
 *
 * @module
 */
import { KernelError, MemoryError } from "../base/errors.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { type KernelObject, listFrom } from "../kernel/core/object.ts";
import { userSpace } from "../kernel/objects/user_memory.ts";
import type { ProcessSpec } from "../query/expression.ts";
import { globRegExp } from "../base/glob.ts";

/** A thread as shown by the task list. */
interface Thread {
  readonly pid: number;
  /** The process to which it belongs. */
  tgid: number;
  /** The parent of its process; 0 for the topmost one. */
  parent: number;
  comm: string;
  /** GVA of its `task_struct`; 0n if it is known only from a fork. */
  readonly gva: bigint;
}

const MAX_TASKS = 1 << 20;
const MAX_STRING = 4096;
/** Maximum number of attempts to read the list while it is changing. */
const LIST_TRIES = 20;

/** The processes of a guest. */
export class ProcessTree {
  /** Why the task list could not be read, if it could not. */
  problem: string | undefined;
  readonly #kernel: Kernel;
  #threads: Map<number, Thread> | undefined;
  #forks = new Map<number, { parent: number; tgid: number }>();
  readonly #tgids = new Map<number, number>();
  #fresh = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Allows the list to be read again, once, for a pid that is not in it. */
  refresh(): void {
    this.#fresh = false;
  }

  /** Records a fork in the trace (sched:sched_process_fork). */
  forked(parent: number, child: number): void {
    this.#forks.set(child, { parent, tgid: child });
  }

  /** Records the process of a thread, as reported by the guest's module. */
  told(pid: number, tgid: number): void {
    this.#tgids.set(pid, tgid);
  }

  /** The command name of a thread, if it is still running. */
  comm(pid: number): string | undefined {
    return this.#thread(pid)?.comm;
  }

  #thread(pid: number): Thread | undefined {
    const known = this.#threads?.get(pid);
    if (known !== undefined || this.#fresh) return known;
    this.#fresh = true;
    for (let tries = 0; tries < LIST_TRIES; tries++) {
      try {
        this.#threads = readThreads(this.#kernel);
        this.problem = undefined;
        break;
      } catch (error) {
        if (
          !(error instanceof MemoryError) && !(error instanceof KernelError)
        ) throw error;
        // The task list may be missing from a recording, and may be changing in
        // a live guest.
        this.problem = error.message;
      }
    }
    this.#threads ??= new Map();
    return this.#threads.get(pid);
  }

  /**
   * Creates the test whether a thread belongs to the specified processes.
   *
   * @param comm the name of a thread
   */
  test(
    who: ProcessSpec,
    comm: (pid: number) => string,
  ): (pid: number) => boolean {
    const { match } = who;
    const regExp = typeof match === "string" ? globRegExp(match) : undefined;
    const is = (pid: number) =>
      regExp === undefined ? pid === match : regExp.test(comm(pid));
    return (pid) => {
      const seen = new Set<number>();
      let at = pid;
      while (at > 0 && !seen.has(at)) {
        seen.add(at);
        const thread = this.#thread(at);
        const fork = this.#forks.get(at);
        const tgid = thread?.tgid ?? this.#tgids.get(at) ?? fork?.tgid ?? at;
        if (is(at) || (tgid !== at && is(tgid))) return true;
        if (!who.children) return false;
        // The fork also covers processes that have ended, and parents that
        // ended before their children.
        const parent = fork?.parent ?? thread?.parent ?? 0;
        at = this.#thread(parent)?.tgid ?? parent;
      }
      return false;
    };
  }

  /**
   * Reads a string from a process's own memory as it is now.
   *
   * @returns `undefined` when the process has ended, or the page is not in
   * memory.
   */
  userString(pid: number, lo: number, hi: number): string | undefined {
    const thread = this.#thread(pid);
    if (thread === undefined || thread.gva === 0n) return undefined;
    try {
      const task = this.#kernel.object("task_struct", thread.gva);
      if (task.s32("pid") !== pid) return undefined;
      const mm = task.u64("mm");
      const own = mm === 0n ? undefined : userSpace(this.#kernel, mm);
      if (own === undefined) return undefined;
      return own.string(BigInt(hi) << 32n | BigInt(lo), MAX_STRING);
    } catch (error) {
      if (error instanceof MemoryError || error instanceof KernelError) {
        return undefined;
      }
      throw error;
    }
  }
}

function readThreads(kernel: Kernel): Map<number, Thread> {
  const threads = new Map<number, Thread>();
  const init = kernel.global("init_task", "task_struct");
  const add = (task: KernelObject) => {
    const pid = task.s32("pid");
    threads.set(pid, {
      pid,
      tgid: task.s32("tgid"),
      parent: task.follow("real_parent", "task_struct")?.s32("tgid") ?? 0,
      comm: task.chars("comm"),
      gva: task.gva,
    });
  };
  for (
    const leader of listFrom(
      kernel,
      init.at("tasks"),
      "task_struct",
      "tasks",
      MAX_TASKS,
    )
  ) {
    add(leader);
    const signal = leader.follow("signal", "signal_struct");
    if (signal === undefined || !signal.has("thread_head")) continue;
    for (
      const thread of signal.list(
        "thread_head",
        "task_struct",
        "thread_node",
        MAX_TASKS,
      )
    ) if (thread.gva !== leader.gva) add(thread);
  }
  return threads;
}
