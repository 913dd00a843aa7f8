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
import type { KernelObject } from "../core/object.ts";
import { readable } from "../core/present.ts";
import { idleTasks, listedLeaders, pidTasks, threadsOf } from "./tasks.ts";

/** NR_CACHED_STACKS. */
const CACHED = 2;
/** How often a task is looked at that is being switched. */
const TRIES = 4;
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

/** What the books say of one task's stack. */
interface Book {
  readonly task: KernelObject;
  readonly start: bigint;
  readonly size: bigint;
  /** Whoever asked for its memory. */
  readonly caller: bigint;
}

/**
 * The stacks of all tasks, and those kept for the next ones; ascending.
 *
 * No single word takes a stack, or a part of one, out of a search: a task runs
 * only if a run queue and the task say so, and what it has left behind is told
 * only by a pointer to what a switch of tasks saves there.
 */
export function stacks(kernel: Kernel): Stack[] {
  const books = taskBooks(kernel);
  // All are of one size: none reaches into the memory beside it.
  const size = commonest(books.map(({ size }) => size));
  const callers = new Set(books.map(({ caller }) => caller));
  const found: Stack[] = books.map(({ task, start }) => {
    const name = `process ${task.number("pid")} (${task.chars("comm")})`;
    const pointer = pointerOf(kernel, task, start, start + size);
    const stack = { start, end: start + size, task: name };
    return pointer === undefined ? stack : { ...stack, pointer };
  });
  const owned = new Set(books.map(({ start }) => start));
  for (const vm of cachedStacks(kernel)) {
    const area = kernel.object("vm_struct", vm);
    const start = readable(() => area.u64("addr"));
    // Those that are kept are like those in use, and are nobody's.
    if (start === undefined || owned.has(start)) continue;
    if (readable(() => area.u64("size")) !== size) continue;
    const caller = area.has("caller") && readable(() => area.u64("caller"));
    if (caller !== false && (caller === undefined || !callers.has(caller))) {
      continue;
    }
    found.push({ start, end: start + size });
  }
  return found.sort((a, b) => a.start < b.start ? -1 : 1);
}

function taskBooks(kernel: Kernel): Book[] {
  const found: Book[] = [];
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
    const book = task.has("stack_vm_area") && readable(() => {
      const start = task.u64("stack");
      const vm = task.follow("stack_vm_area", "vm_struct");
      const size = vm?.u64("size") ?? 0n;
      if (vm === undefined || size === 0n || size > MOST_STACK) return;
      // The area knows whose memory it is as well.
      if (vm.u64("addr") !== start) return;
      const caller = vm.has("caller") ? vm.u64("caller") : 0n;
      return { task, start, size, caller };
    });
    if (book) found.push(book);
  }
  return found;
}

/**
 * GVA of the last word in use on a task's stack; `undefined` while it runs. One
 * that cannot be told is the stack's end: all of it counts as in use.
 */
function pointerOf(
  kernel: Kernel,
  task: KernelObject,
  start: bigint,
  end: bigint,
): bigint | undefined {
  const { stackPointer, savedFrame } = kernel.arch.image;
  const frame = kernel.types.tryOffset(...savedFrame.returns);
  for (let tries = 0; tries < TRIES; tries++) {
    if (isRunning(kernel, task)) return undefined;
    const pointer = readable(() => task.u64(stackPointer)) ?? 0n;
    if (pointer < start || pointer >= end || pointer % 8n !== 0n) continue;
    // It cannot be judged in a kernel without such a frame.
    if (frame === undefined) return pointer;
    const to = readable(() => kernel.space.u64(pointer + BigInt(frame))) ?? 0n;
    const name = kernel.symbols.lookup(to)?.name ?? "";
    if (savedFrame.into.includes(name)) return pointer;
  }
  return start;
}

/** Whether a task runs, as its run queue and itself say. */
function isRunning(kernel: Kernel, task: KernelObject): boolean {
  if (task.has("on_cpu") && task.number("on_cpu") === 0) return false;
  return kernel.cpus.some((cpu) => {
    const queue = kernel.object("rq", kernel.perCpu("runqueues", cpu));
    return queue.u64("curr") === task.gva;
  });
}

/** GVAs of the `struct vm_struct`s of the stacks that each CPU keeps. */
function cachedStacks(kernel: Kernel): bigint[] {
  if (kernel.symbols.tryAddress("cached_stacks") === undefined) return [];
  return kernel.cpus.flatMap((cpu) => {
    const cached = kernel.perCpu("cached_stacks", cpu);
    return Array.from(
      { length: CACHED },
      (_, i) => readable(() => kernel.space.u64(cached + BigInt(8 * i))) ?? 0n,
    );
  }).filter((vm) => vm !== 0n);
}

/** The value that is there most often. */
function commonest(values: readonly bigint[]): bigint {
  const counts = Map.groupBy(values, (value) => value);
  let found = 0n;
  for (const [value, { length }] of counts) {
    if (length > (counts.get(found)?.length ?? 0)) found = value;
  }
  return found;
}

/** The stack that a GVA lies on. */
export function stackAt(
  all: readonly Stack[],
  gva: bigint,
): Stack | undefined {
  return all[rangeAt(all, gva)];
}
