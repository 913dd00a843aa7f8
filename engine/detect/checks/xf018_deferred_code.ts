/**
 * XF018: timers and kernel threads.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { readable } from "../../kernel/core/present.ts";
import {
  listedLeaders,
  pidTasks,
  readTask,
} from "../../kernel/objects/tasks.ts";
import {
  hrtimers,
  type Pending,
  threadFunction,
  timers,
} from "../../kernel/objects/timers.ts";
import { judge } from "../core/judge.ts";
import type { Check } from "../core/check.ts";

/** The pid of the first kernel thread, whose function is nowhere kept. */
const KTHREADD = 2;

/** Checks code that is due to run: timers and kernel threads. */
export const deferredCode: Check = {
  id: "XF018",
  title: "timers and kernel threads",
  technique: "T1014",
  help:
    "Every armed timer and every kernel thread runs code of the kernel's or of a module that is on the list.",
  run(context, report) {
    const { kernel } = context;
    const each = (pending: Pending) => {
      judge(context, report, {
        where: pending.what,
        address: pending.gva,
        target: pending.func,
        allowed: "known",
      });
    };
    report.part("timers", () => timers(kernel).forEach(each));
    report.part("high-resolution timers", () => hrtimers(kernel).forEach(each));
    report.part("kernel threads", () => {
      const tasks = new Set([...listedLeaders(kernel), ...pidTasks(kernel)]);
      for (const gva of tasks) {
        try {
          const task = readTask(kernel, gva);
          // Both are words of the guest; a process has memory, and is none.
          if ((!task.kernelThread && task.hasMemory) || task.dead) continue;
          const found = threadFunction(kernel, task);
          if (found.func !== 0n) each(found);
          else if (task.pid !== KTHREADD) {
            report.passing(
              found.what,
              task.kernelThread
                ? "it does not say which function it runs"
                : "it has no memory of its own, and says that it is no kernel thread",
            );
          }
        } catch (error) {
          if (!(error instanceof MemoryError)) throw error;
          // The thread may have ended meanwhile. If it has not, somebody may have
          // changed the pointer to what it runs.
          if (!isAlive(kernel, gva)) continue;
          report.passing(`kernel thread at ${hex(gva)}`, error.message);
        }
      }
    });
  },
};

/** Whether there is still a task that has not ended. */
function isAlive(kernel: Kernel, gva: bigint): boolean {
  return readable(() => readTask(kernel, gva).dead) === false;
}
