/**
 * Completes a plan from the guest's memory: determines the changes that each
 * step needs. Nothing is written.
 *
 * @module
 */
import { KernelError } from "../base/errors.ts";
import { ftraceSite } from "../kernel/patching/ftrace_site.ts";
import { planGraphRoots } from "./graph_roots.ts";
import { moduleChanges } from "./module_commands.ts";
import type { Change, ControlStep, Plan, PlannedStep } from "./plan.ts";
import { folderOf, planEnable } from "./plan_tracefs.ts";
import { limitDepth, muteEvent, stopCpu, switchRecording } from "./switches.ts";
import type { ControlTarget } from "./target.ts";
import { PlannedMemory } from "./words.ts";

/**
 * Fills in the changes of a plan's steps, except where they are already filled
 * in. A step takes the changes of earlier steps into account.
 *
 * @throws {KernelError} when a step cannot be carried out in this guest.
 */
export function lookAt(plan: Plan, target: ControlTarget): Plan {
  return { ...plan, steps: lookAtSteps(plan.steps, target) };
}

/**
 * Like {@linkcode lookAt}, for steps alone.
 *
 * @throws {KernelError} when one cannot be carried out in this guest.
 */
export function lookAtSteps(
  steps: readonly PlannedStep[],
  target: ControlTarget,
): PlannedStep[] {
  if (steps.every(({ changes }) => changes !== undefined)) return [...steps];
  const memory = new PlannedMemory(target.session.kernel);
  return steps.map((planned) => {
    const changes = planned.changes ?? changesOf(planned.step, target, memory);
    if (planned.changes !== undefined) {
      for (const change of changes) {
        if (change.way === "word") memory.note(change);
      }
    }
    return { ...planned, changes };
  });
}

/** The changes of one step, given memory as the earlier steps will leave it. */
function changesOf(
  step: ControlStep,
  target: ControlTarget,
  memory: PlannedMemory,
): readonly Change[] {
  const { instance, events, session } = target;
  const { kernel } = session;
  switch (step.control) {
    case "roots": {
      const ips = step.addresses.map((at) => ftraceSite(kernel, at)?.ip ?? at);
      const { changes, uncovered } = planGraphRoots(kernel, ips);
      if (uncovered.length === 0) return changes;
      throw new KernelError(
        "the guest's graph roots have changed since the plan was made; try again",
      );
    }
    case "depth":
      return limitDepth(memory, step.levels);
    case "mute":
      return step.events.flatMap((name) =>
        muteEvent(memory, instance, events, name)
      );
    case "cpu":
      return [stopCpu(memory, instance, step.cpu)];
    case "recording":
      return switchRecording(memory, instance, step.on);
    case "enable": {
      const folder = folderOf(instance.name);
      const planned = planEnable(
        instance,
        instance,
        events,
        step.events,
        folder,
      );
      return planned?.changes ?? [];
    }
    case "module":
    case "keys":
    case "enabled":
      return moduleChanges(kernel, step);
    case "instance":
      return [{ way: "instance", name: step.name }];
    case "file":
    case "tracer":
      // These are planned together with their changes: see plan_tracefs.ts.
      return [];
  }
}
