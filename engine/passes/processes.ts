/**
 * Who is whose child: the guest's task list, and the forks that the trace
 * itself shows.
 *
 * @module
 */
import { KernelError, MemoryError } from "../base/errors.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { type KernelObject, listFrom } from "../kernel/core/object.ts";
import { userSpace } from "../kernel/objects/user_memory.ts";
import type { ProcessSpec } from "../query/expression.ts";
import { globRegExp } from "../base/glob.ts";

/** A thread as the task list shows it. */
interface Thread {
  readonly pid: number;
  /** The process it belongs to. */
  tgid: number;
  /** The process that made its process; 0 at the top. */
  parent: number;
  comm: string;
  /** GVA of its `task_struct`; 0n when only a fork was seen. */
  readonly gva: bigint;
}

const MAX_TASKS = 1 << 20;
const MAX_STRING = 4096;
/** Tries to read the list between two changes of it. */
const LIST_TRIES = 20;

/** The processes of a guest. */
export class ProcessTree {
  /** Why the task list could not be read, if so. */
  problem: string | undefined;
  readonly #kernel: Kernel;
  #threads: Map<number, Thread> | undefined;
  #forks = new Map<number, { parent: number; tgid: number }>();
  readonly #tgids = new Map<number, number>();
  #fresh = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** The list may be read again: once for a pid that it does not have. */
  refresh(): void {
    this.#fresh = false;
  }

  /** A fork that the trace shows (sched:sched_process_fork). */
  forked(parent: number, child: number): void {
    this.#forks.set(child, { parent, tgid: child });
  }

  /** The process of a thread, as the guest's module says. */
  told(pid: number, tgid: number): void {
    this.#tgids.set(pid, tgid);
  }

  /** The command of a thread, if it still runs. */
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
        // A recording need not hold the task list; a live one may be in flux.
        this.problem = error.message;
      }
    }
    this.#threads ??= new Map();
    return this.#threads.get(pid);
  }

  /**
   * Makes the test whether a thread belongs to the processes meant.
   *
   * @param comm names of threads
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
        // The fork that was seen tells also of processes that are gone, and
        // of a parent that ended before its child.
        const parent = fork?.parent ?? thread?.parent ?? 0;
        at = this.#thread(parent)?.tgid ?? parent;
      }
      return false;
    };
  }

  /**
   * A string in a process's own memory, as it is now.
   *
   * @returns `undefined` when the process is gone, or the page is not there.
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
