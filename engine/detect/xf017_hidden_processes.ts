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
} from "../kernel/tasks.ts";
import { MemoryError } from "../errors.ts";
import type { Task } from "../kernel/tasks.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Check } from "./types.ts";

/** Processes that one of the kernel's views shows and another does not. */
export const hiddenProcesses: Check = {
  id: "XF017",
  title: "hidden processes",
  technique: "T1564",
  help:
    "The task list, the table of pids, the run queues, the families of processes and the control groups show the same tasks. A task missing from one while it is alive was taken out of it.",
  run(context, report) {
    const { kernel } = context;
    const views = new Map<string, ReadonlySet<bigint>>();
    const add = (name: string, read: () => bigint[] | undefined) =>
      report.part(name, () => {
        const found = read();
        if (found !== undefined) views.set(name, new Set(found));
      });
    add("task list", () =>
      listedLeaders(kernel).flatMap((leader) => {
        try {
          return threadsOf(kernel, leader);
        } catch (error) {
          // It ended meanwhile.
          if (error instanceof MemoryError) return [];
          throw error;
        }
      }));
    add("pid table", () => pidTasks(kernel));
    add("run queues", () => queuedTasks(kernel));
    add("process families", () => familyTasks(kernel));
    add("control groups", () => cgroupTasks(kernel));
    const listed = views.get("task list");
    const pids = views.get("pid table");
    if (listed === undefined || pids === undefined) return;
    const all = new Set([...views.values()].flatMap((gvas) => [...gvas]));
    report.judged(all.size);
    for (const gva of all) {
      const missing = [
        listed.has(gva) ? "" : "the task list",
        pids.has(gva) ? "" : "the pid table",
      ].filter((name) => name !== "");
      if (missing.length === 0) continue;
      const task = alive(kernel, gva);
      if (task === undefined) continue;
      const shown = [...views].filter(([, gvas]) => gvas.has(gva))
        .map(([name]) => name);
      report.finding({
        severity: "critical",
        where: `process ${task.pid} (${task.comm})`,
        address: gva,
        expected: "in every view of the kernel's tasks",
        found: `in ${shown.join(", ")}`,
        summary: `process ${task.pid} (${task.comm}) is alive but not in ${
          missing.join(" nor in ")
        } (it is in ${shown.join(", ")})`,
      });
    }
  },
};

/** The task, unless it has ended or its memory is used otherwise. */
function alive(kernel: Kernel, gva: bigint): Task | undefined {
  try {
    const task = readTask(kernel, gva);
    return task.dead || task.pid <= 0 || task.pid > 4194304 ? undefined : task;
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}
