/**
 * XF017: hidden processes.
 *
 * @module
 */
import {
  cgroupTasks,
  familyTasks,
  listedLeaders,
  pidTasks,
  queuedTasks,
  readTask,
  threadsOf,
} from "../../kernel/objects/tasks.ts";
import { MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { lookAgain, missing } from "../core/task_lists.ts";
import { taskFiles } from "../../kernel/objects/task_files.ts";
import { memoryTasks } from "../../kernel/objects/task_memory.ts";
import type { StackArea } from "../../kernel/objects/stack_areas.ts";
import type { Task } from "../../kernel/objects/tasks.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Check } from "../core/check.ts";

/** How often tasks are read again for a stack that belongs to none of them. */
const MOST_PASSES = 4;

/**
 * Checks for processes that appear in one of the kernel's views but not in
 * another.
 */
export const hiddenProcesses: Check = {
  id: "XF017",
  title: "hidden processes",
  technique: "T1564",
  help:
    "The task list, the table of pids, the run queues, the families of processes, the control groups and the memory that tasks are made of show the same tasks. A task missing from a list while it is alive was taken out of it; the events of it that Ftrace recorded and the files that it has open are told.",
  run(context, report) {
    const { kernel } = context;
    const views = new Map<string, ReadonlySet<bigint>>();
    const add = (name: string, read: () => bigint[] | undefined) =>
      report.part(name, () => {
        const found = read();
        if (found !== undefined) views.set(name, new Set(found));
      });
    add("task list", () => listedTasks(kernel));
    add("pid table", () => pidTasks(kernel));
    add("run queues", () => queuedTasks(kernel));
    add("process families", () => familyTasks(kernel));
    add("control groups", () => cgroupTasks(kernel));
    const listed = views.get("task list");
    const pids = views.get("pid table");
    if (listed === undefined || pids === undefined) return;
    report.part("memory of tasks", () => {
      const found = memoryTasks(kernel, new Set([...listed, ...pids]));
      if (found === undefined) {
        report.known("the memory that tasks are made of is not searched");
        return;
      }
      views.set("memory", new Set(found.tasks));
      const [first] = stillOwnerless(kernel, found.ownerless);
      if (first === undefined) return;
      report.passing(
        `the stack at ${hex(first.start)}`,
        "it belongs to no task, neither on a list nor in memory",
      );
    });
    const all = new Set([...views.values()].flatMap((gvas) => [...gvas]));
    report.judged(all.size);
    const suspects = [...all].flatMap((gva) => {
      const lacks = missing({ listed, pids }, gva);
      const task = lacks.length === 0 ? undefined : alive(kernel, gva);
      return task === undefined ? [] : [{ gva, lacks, task }];
    });
    const later = kernel.memory.live
      ? lookAgain(suspects.map(({ gva }) => gva), {
        lists: () => ({
          listed: new Set(listedTasks(kernel)),
          pids: new Set(pidTasks(kernel)),
        }),
        ended: (gva) => alive(kernel, gva) === undefined,
      })
      : new Map();
    for (const { gva, lacks, task } of suspects) {
      const state = later.get(gva);
      // It ended after the task list was read, and before the pid table was. One
      // that the task list lacked may have ended to escape.
      if (state === "ended" && listed.has(gva)) continue;
      const shown = [...views].filter(([, gvas]) => gvas.has(gva))
        .map(([name]) => name);
      const events = context.tracedPids.get(task.pid) ?? 0;
      if (events > 0) shown.push("the trace");
      const files = state === "ended" ? [] : taskFiles(kernel, gva);
      const open = files.length === 0
        ? ""
        : `; it runs or has open ${files.slice(0, 8).join(", ")}`;
      report.finding({
        severity: "critical",
        where: `process ${task.pid} (${task.comm})`,
        address: gva,
        expected: "in every view of the kernel's tasks",
        found: `in ${shown.join(", ")}`,
        varies: true,
        ...(state === "listed" ? { brief: true } : {}),
        summary: `process ${task.pid} (${task.comm}) is alive but not in ${
          lacks.join(" nor in ")
        } (it is in ${shown.join(", ")})${open}`,
      });
    }
  },
};

/**
 * The stacks that still belong to nobody when the tasks are read again: one is
 * made before its task, and given back after it.
 */
function stillOwnerless(
  kernel: Kernel,
  found: readonly StackArea[],
): readonly StackArea[] {
  // A recording stays as it is.
  for (
    let pass = 0;
    pass < MOST_PASSES && found.length > 0 && kernel.memory.live;
    pass++
  ) {
    const now = memoryTasks(kernel, new Set());
    const left = new Set(now?.ownerless.map(({ start }) => start));
    found = found.filter(({ start }) => left.has(start));
  }
  return found;
}

/** The threads of all processes on the task list. */
function listedTasks(kernel: Kernel): bigint[] {
  return listedLeaders(kernel).flatMap((leader) => {
    try {
      return threadsOf(kernel, leader);
    } catch (error) {
      // The process ended meanwhile.
      if (error instanceof MemoryError) return [];
      throw error;
    }
  });
}

/** The task, unless it has ended or its memory has been reused. */
function alive(kernel: Kernel, gva: bigint): Task | undefined {
  try {
    const task = readTask(kernel, gva);
    // Its pid is only a word: no view needs it.
    return task.dead ? undefined : task;
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}
