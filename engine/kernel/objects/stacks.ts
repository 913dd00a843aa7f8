/**
 * The stacks of tasks: what lies on them, and what was left there.
 *
 * Sources: kernel/fork.c (alloc_thread_stack_node, cached_stacks),
 * include/linux/sched.h.
 *
 * @module
 */
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { Kernel } from "../core/kernel.ts";
import { readable } from "../core/present.ts";
import { idleTasks, listedLeaders, pidTasks, threadsOf } from "./tasks.ts";

/** NR_CACHED_STACKS. */
const CACHED = 2;
/** Larger than a stack is. */
const MOST_STACK = 1n << 20n;

/** A stack. */
export interface Stack extends GvaRange {
  /** `process 17 (sh)`; `undefined`: it belongs to no task now. */
  readonly task?: string;
  /**
   * GVA of the last word in use; `undefined` while the task runs: only its
   * processor knows.
   */
  readonly pointer?: bigint;
}

/** The stacks of all tasks, and those kept for the next ones; ascending. */
export function stacks(kernel: Kernel): Stack[] {
  const found: Stack[] = [];
  const running = new Set(
    kernel.cpus.map((cpu) =>
      kernel.object("rq", kernel.perCpu("runqueues", cpu)).u64("curr")
    ),
  );
  const tasks = new Set([
    kernel.symbols.address("init_task"),
    ...pidTasks(kernel),
    ...idleTasks(kernel),
    ...listedLeaders(kernel).flatMap((leader) =>
      readable(() => threadsOf(kernel, leader)) ?? []
    ),
  ]);
  for (const gva of tasks) {
    const task = kernel.object("task_struct", gva);
    const area = task.has("stack_vm_area") && readable(() => {
      const start = task.u64("stack");
      const vm = task.follow("stack_vm_area", "vm_struct");
      const size = vm?.u64("size") ?? 0n;
      if (size === 0n || size > MOST_STACK) return undefined;
      // The area knows whose memory it is as well.
      if (vm?.u64("addr") !== start) return undefined;
      const name = `process ${task.number("pid")} (${task.chars("comm")})`;
      const pointer = running.has(gva)
        ? undefined
        : task.u64(kernel.arch.image.stackPointer);
      return { start, end: start + size, task: name, pointer };
    });
    if (area) {
      const { pointer, ...rest } = area;
      found.push(pointer === undefined ? rest : { ...rest, pointer });
    }
  }
  const sizes = new Set(found.map(({ start, end }) => end - start));
  for (const cpu of kernel.cpus) {
    if (kernel.symbols.tryAddress("cached_stacks") === undefined) break;
    const cached = kernel.perCpu("cached_stacks", cpu);
    for (let i = 0; i < CACHED; i++) {
      const vm = readable(() => kernel.space.u64(cached + BigInt(8 * i)));
      if (vm === undefined || vm === 0n) continue;
      const area = kernel.object("vm_struct", vm);
      const start = readable(() => area.u64("addr"));
      const size = readable(() => area.u64("size")) ?? 0n;
      // Those that are kept are like those in use.
      if (start === undefined || !sizes.has(size)) continue;
      found.push({ start, end: start + size });
    }
  }
  return found.sort((a, b) => a.start < b.start ? -1 : 1);
}

/** The stack that a GVA lies on. */
export function stackAt(
  all: readonly Stack[],
  gva: bigint,
): Stack | undefined {
  return all[rangeAt(all, gva)];
}
