/**
 * Code that is due to run: timers, high-resolution timers, kernel threads.
 *
 * Sources: kernel/time/timer.c, kernel/time/hrtimer.c, kernel/kthread.c.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { hlistNodes, rbNodes, steady } from "../core/lists.ts";
import type { Task } from "./tasks.ts";

/** A function that is due to run. */
export interface Pending {
  /** Description for messages: `timer on CPU 0`. */
  readonly what: string;
  /** GVA of its `struct timer_list`, `hrtimer` or task. */
  readonly gva: bigint;
  /** GVA of the function. */
  readonly func: bigint;
}

/** WHEEL_SIZE: nine levels of 64 lists (kernel/time/timer.c). */
const WHEEL_SIZE = 9 * 64;
/** Functions that only kernels with CONFIG_NO_HZ_COMMON have. */
const NO_HZ_SYMBOLS = [
  "tick_nohz_idle_enter",
  "tick_nohz_idle_exit",
  "tick_nohz_irq_exit",
];

/**
 * The pending timers of all CPUs, and the work that is queued when one of them
 * expires (delayed_work_timer_fn).
 */
export function timers(kernel: Kernel): Pending[] {
  const { types, space } = kernel;
  const found: Pending[] = [];
  const vectors = types.tryMember("timer_base", "vectors");
  if (vectors === undefined) {
    throw new KernelError("this kernel's struct timer_base has no vectors");
  }
  const func = BigInt(types.offset("timer_list", "function"));
  const size = types.struct("timer_base").size;
  // NR_BASES is a macro: 1; 2 with NO_HZ_COMMON; 3 where timers migrate (6.12).
  const nohz = NO_HZ_SYMBOLS.some((name) =>
    kernel.symbols.tryAddress(name) !== undefined
  );
  const bases = !nohz ? 1 : types.tryStruct("tmigr_cpu") !== undefined ? 3 : 2;
  const heads = allocateWords(
    BigUint64Array,
    vectors.size / 8,
    WHEEL_SIZE,
    "timer_base.vectors",
  );
  const queues = kernel.symbols.addresses("delayed_work_timer_fn");
  const timer = types.tryOffset("delayed_work", "timer");
  const work = types.tryOffset("delayed_work", "work.func");
  const later = (one: Pending): Pending[] => {
    const { what, gva, func } = one;
    if (timer === undefined || work === undefined) return [one];
    if (!queues.includes(func)) return [one];
    const delayed = gva - BigInt(timer);
    const then = space.u64(delayed + BigInt(work));
    return [one, {
      what: `delayed work of a ${what}`,
      gva: delayed,
      func: then,
    }];
  };
  for (const cpu of kernel.cpus) {
    for (let base = 0; base < bases; base++) {
      const start = kernel.perCpu("timer_bases", cpu) + BigInt(base * size) +
        BigInt(vectors.offset);
      space.read(start, new Uint8Array(heads.buffer));
      for (let i = 0; i < heads.length; i++) {
        if (heads[i] === 0n) continue;
        const one = steady(() =>
          hlistNodes(kernel, start + BigInt(8 * i)).flatMap((gva) =>
            later({
              what: `timer on CPU ${cpu}`,
              gva,
              func: space.u64(gva + func),
            })
          )
        );
        found.push(...one);
      }
    }
  }
  return found;
}

/** The pending high-resolution timers of all CPUs. */
export function hrtimers(kernel: Kernel): Pending[] {
  const { types } = kernel;
  const found: Pending[] = [];
  const bases = types.tryMember("hrtimer_cpu_base", "clock_base");
  if (bases === undefined) {
    throw new KernelError(
      "this kernel's struct hrtimer_cpu_base has no clock_base",
    );
  }
  const size = types.struct("hrtimer_clock_base").size;
  const root = types.offset("hrtimer_clock_base", "active.rb_root.rb_root");
  const node = BigInt(types.offset("hrtimer", "node.node"));
  for (const cpu of kernel.cpus) {
    const base = kernel.perCpu("hrtimer_bases", cpu) + BigInt(bases.offset);
    for (let at = 0; at + size <= bases.size; at += size) {
      found.push(
        ...steady(() =>
          rbNodes(kernel, base + BigInt(at + root)).map((rb) => {
            const timer = kernel.object("hrtimer", rb - node);
            return {
              what: `high-resolution timer on CPU ${cpu}`,
              gva: timer.gva,
              func: timer.u64("function"),
            };
          })
        ),
      );
    }
  }
  return found;
}

/**
 * The function that a kernel thread runs; 0n when it has none yet, or when it
 * is the first of them (kthreadd), which was not started like the others.
 *
 * @throws {KernelError} when this kernel keeps it in a way that is not known.
 */
export function threadFunction(kernel: Kernel, task: Task): Pending {
  const at = kernel.object("task_struct", task.gva);
  // to_kthread: where struct kthread is stored. Before 5.17 in set_child_tid
  // (e32cf5dfbe22, "kthread: Generalize pf_io_worker so it can point to struct
  // kthread"), which means something else since. (`result` came with that.)
  const isOld = !at.has("worker_private") &&
    kernel.types.tryOffset("kthread", "result") === undefined;
  const gva = at.u64(isOld ? "set_child_tid" : "worker_private");
  return {
    what: `kernel thread ${task.comm} (${task.pid})`,
    gva: gva === 0n ? task.gva : gva,
    func: gva === 0n ? 0n : kernel.object("kthread", gva).u64("threadfn"),
  };
}
