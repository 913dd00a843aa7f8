/**
 * From a plan's steps to the words that are written.
 *
 * @module
 */
import type { ControlWrite } from "./control.ts";
import type { TraceEvents } from "../ftrace/events/events.ts";
import { planGraphRoots } from "../ftrace/graph/graph_roots.ts";
import { ftraceSite } from "../kernel/patching/ftrace_site.ts";
import { limitDepth, muteEvent, switchRecording } from "./switches.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import { KernelError } from "../base/errors.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { CONTROL } from "../seal/page/abi.ts";
import type { TargetFacts } from "../query/facts.ts";
import type { Plan, PlannedWrite } from "./plan.ts";
import type { Program } from "../query/program.ts";

/** Words to write, each with the step (from 1) that it belongs to. */
export interface StepWrite {
  readonly step: number;
  readonly write: ControlWrite;
}

/**
 * Plans the words of a program's steps, in order. Reads, writes nothing.
 *
 * @throws {KernelError} when a step cannot be carried out as planned: the
 * guest has changed since.
 */
export function planWrites(
  program: Program,
  instance: TraceArray,
  events: TraceEvents,
): StepWrite[] {
  const { kernel } = instance;
  return program.plan.steps.flatMap(({ step }, i): StepWrite[] => {
    const tag = (writes: readonly ControlWrite[]) =>
      writes.map((write) => ({ step: i + 1, write }));
    switch (step.control) {
      case "roots": {
        const ips = program.roots.map((at) => ftraceSite(kernel, at)?.ip ?? at);
        const roots = planGraphRoots(kernel, ips);
        if (roots.uncovered.length > 0) {
          throw new KernelError(
            "the guest's graph roots have changed since the plan was made; try again",
          );
        }
        return tag(roots.writes);
      }
      case "depth":
        return tag(limitDepth(instance, step.levels));
      case "mute":
        return step.events.flatMap((name) =>
          tag(muteEvent(instance, events, name, true))
        );
      case "recording":
        return tag(switchRecording(instance, step.on));
      case "enable":
      case "module":
      case "keys":
      case "enabled":
        // The module's own: commands and keys, in order and with answers.
        return [];
    }
  });
}

/** A plan with the words that its steps come to. */
export function withWrites(
  plan: Plan,
  writes: readonly StepWrite[],
  target: { readonly kernel: Kernel; readonly facts: TargetFacts },
): Plan {
  return {
    ...plan,
    writes: [
      ...writes.map(({ step, write }): PlannedWrite => ({
        step,
        where: write.where,
        gva: hex(write.gva),
        width: write.width,
        before: hex(write.before),
        after: hex(write.after),
      })),
      ...moduleWords(plan, target),
    ],
  };
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

/** Commands that configuring the module takes: reset, configure. */
const COMMANDS = 2n;

/** Words of the module's control page that its steps change. */
function moduleWords(
  plan: Plan,
  { kernel, facts }: { readonly kernel: Kernel; readonly facts: TargetFacts },
): PlannedWrite[] {
  const { module } = facts.capabilities;
  if (module === undefined) return [];
  return plan.steps.flatMap(({ step }, i): PlannedWrite[] => {
    if (step.control === "module") {
      const gva = module.page + BigInt(CONTROL.command_number);
      const number = kernel.space.u64(gva);
      return [{
        step: i + 1,
        where: "xft_control.command_number",
        gva: hex(gva),
        width: 8,
        before: hex(number),
        after: hex(number + COMMANDS),
      }];
    }
    if (step.control !== "enabled") return [];
    return [{
      step: i + 1,
      where: "xft_control.enabled",
      gva: hex(module.page + BigInt(CONTROL.enabled)),
      width: 4,
      before: "0x0",
      after: "0x1",
    }];
  });
}
