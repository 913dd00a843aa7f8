/**
 * The kernel's several views of its tasks: the list, the table of pids, run
 * queues, parents and children, control groups.
 *
 * Sources: include/linux/sched.h, kernel/pid.c, kernel/sched/sched.h,
 * kernel/cgroup/cgroup.c.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";
import type { KernelObject } from "../core/object.ts";
import {
  hlistNodes,
  listNodes,
  rbNodes,
  steady,
  xarrayEntries,
} from "../core/lists.ts";
import { variable } from "../symbols/required.ts";

/** A task. */
export interface Task {
  /** GVA of its `struct task_struct`. */
  readonly gva: bigint;
  readonly pid: number;
  /** The pid of its process. */
  readonly tgid: number;
  readonly comm: string;
  /** Whether it says that it is a kernel thread. */
  readonly kernelThread: boolean;
  /** Whether it has memory of its own, as every process has until it ends. */
  readonly hasMemory: boolean;
  /** Whether it has ended, and is only kept for its parent or for RCU. */
  readonly dead: boolean;
}

const PF_KTHREAD = 0x0020_0000;
const EXIT_DEAD_OR_ZOMBIE = 0x30;
/** include/linux/sched.h: what a task that is never scheduled again has. */
const TASK_DEAD = 0x80;
/** More buckets than the hash of css_sets has (1 << CSS_SET_HASH_BITS). */
const MOST_BUCKETS = 4096;

/** Reads one task. @throws {MemoryError} when it is not mapped. */
export function readTask(kernel: Kernel, gva: bigint): Task {
  const at = kernel.object("task_struct", gva);
  return {
    gva,
    pid: at.number("pid"),
    tgid: at.number("tgid"),
    comm: at.chars("comm"),
    kernelThread: (at.number("flags") & PF_KTHREAD) !== 0,
    hasMemory: at.u64("mm") !== 0n,
    dead: hasEnded(at),
  };
}

/**
 * Whether a task has ended. Its `exit_state` alone does not say so: a task that
 * runs on does not miss what that word held. One that has ended has given up
 * its memory, files and folders before (do_exit), is never scheduled again, and
 * has no stack from then on (finish_task_switch): a kernel thread may do without
 * all but the stack.
 */
export function hasEnded(task: KernelObject): boolean {
  if ((task.number("exit_state") & EXIT_DEAD_OR_ZOMBIE) === 0) return false;
  const state = ["__state", "state"].find((member) => task.has(member));
  if (state !== undefined && (task.number(state) & TASK_DEAD) === 0) {
    return false;
  }
  return ["mm", "files", "fs", "stack", "stack_vm_area"].every((member) =>
    !task.has(member) || task.u64(member) === 0n
  );
}

/** The leaders of the processes on the task list, without `init_task`. */
export function listedLeaders(kernel: Kernel): bigint[] {
  const link = kernel.types.offset("task_struct", "tasks");
  const head = kernel.symbols.address("init_task") + BigInt(link);
  return steady(() => listNodes(kernel, head))
    .map((node) => node - BigInt(link));
}

/** The threads of a process, from the list that /proc/PID/task uses. */
export function threadsOf(kernel: Kernel, leader: bigint): bigint[] {
  const { types } = kernel;
  const signal = kernel.object("task_struct", leader).u64("signal");
  const head = types.tryOffset("signal_struct", "thread_head");
  const node = types.tryOffset("task_struct", "thread_node");
  if (signal === 0n || head === undefined || node === undefined) {
    return [leader];
  }
  return steady(() => listNodes(kernel, signal + BigInt(head)))
    .map((at) => at - BigInt(node));
}

/** The tasks in the table of pids of the initial namespace. */
export function pidTasks(kernel: Kernel): bigint[] {
  const { types, space } = kernel;
  const ns = kernel.symbols.address("init_pid_ns");
  const tree = ns + BigInt(types.offset("pid_namespace", "idr.idr_rt"));
  const heads = BigInt(types.offset("pid", "tasks"));
  const links = types.tryOffset("task_struct", "pid_links");
  if (links === undefined) return [];
  return steady(() => {
    const found: bigint[] = [];
    for (const { entry } of xarrayEntries(kernel, tree)) {
      // PIDTYPE_PID is the first index both of the pid's lists and of the
      // task's links.
      const node = space.u64(entry + heads);
      if (node !== 0n) found.push(node - BigInt(links));
    }
    return found;
  });
}

/**
 * The tasks that are running or queued on each CPU, taken from the run queues.
 */
export function queuedTasks(kernel: Kernel): bigint[] {
  const { types } = kernel;
  const found = new Set<bigint>();
  const groups = types.tryOffset("task_struct", "se.group_node");
  for (const cpu of kernel.cpus) {
    const rq = kernel.object("rq", kernel.perCpu("runqueues", cpu));
    const current = rq.u64("curr");
    if (current !== 0n) found.add(current);
    // With CONFIG_SMP, every queued task of the fair class is on cfs_tasks.
    if (rq.has("cfs_tasks") && groups !== undefined) {
      for (const node of steady(() => listNodes(kernel, rq.at("cfs_tasks")))) {
        found.add(node - BigInt(groups));
      }
    }
    const root = types.tryOffset("rq", "dl.root.rb_root");
    const dl = types.tryOffset("task_struct", "dl.rb_node");
    if (root !== undefined && dl !== undefined) {
      for (const node of steady(() => rbNodes(kernel, rq.gva + BigInt(root)))) {
        const task = node - BigInt(dl);
        // A deadline server of the fair class is not a task (6.12: dl_server).
        if (isTask(kernel, task)) found.add(task);
      }
    }
  }
  const idle = idleTasks(kernel);
  return [...found].filter((gva) => !idle.has(gva));
}

/**
 * The tasks that idle, one for each CPU. They are on no list of processes. No
 * pid tells them: a task runs without one just as well.
 */
export function idleTasks(kernel: Kernel): Set<bigint> {
  return new Set(
    kernel.cpus.map((cpu) =>
      kernel.object("rq", kernel.perCpu("runqueues", cpu)).u64("idle")
    ),
  );
}

function isTask(kernel: Kernel, gva: bigint): boolean {
  const own = kernel.types.tryOffset("task_struct", "dl.dl_server");
  return own === undefined ||
    kernel.object("task_struct", gva).number("dl.dl_server") === 0;
}

/** The processes reached from the first task through lists of children. */
export function familyTasks(kernel: Kernel): bigint[] {
  const { types } = kernel;
  const children = BigInt(types.offset("task_struct", "children"));
  const sibling = BigInt(types.offset("task_struct", "sibling"));
  return steady(() => {
    const found = new Set<bigint>();
    const leaders = [kernel.symbols.address("init_task")];
    for (let leader = leaders.pop(); leader; leader = leaders.pop()) {
      for (const thread of threadsOf(kernel, leader)) {
        for (const node of listNodes(kernel, thread + children)) {
          const child = node - sibling;
          if (found.has(child)) continue;
          found.add(child);
          leaders.push(child);
        }
      }
    }
    return [...found];
  });
}

/** The tasks in control groups; `undefined` when this kernel has none. */
export function cgroupTasks(kernel: Kernel): bigint[] | undefined {
  const { types } = kernel;
  const table = variable(kernel.symbols, "css_set_table", [
    "init_css_set",
    "cgroup_attach_task",
  ]);
  const hlist = types.tryOffset("css_set", "hlist");
  const tasks = types.tryOffset("css_set", "tasks");
  const link = types.tryOffset("task_struct", "cg_list");
  if (
    table === undefined || hlist === undefined || tasks === undefined ||
    link === undefined
  ) return undefined;
  const buckets = (kernel.symbols.lookup(table)?.size ?? 0) / 8;
  return steady(() => {
    const found: bigint[] = [];
    for (let i = 0; i < Math.min(buckets, MOST_BUCKETS); i++) {
      for (const node of hlistNodes(kernel, table + BigInt(8 * i))) {
        const set = node - BigInt(hlist);
        for (const task of listNodes(kernel, set + BigInt(tasks))) {
          found.push(task - BigInt(link));
        }
      }
    }
    return found;
  });
}
