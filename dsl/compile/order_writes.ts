/**
 * Pass: the steps in the order in which they are carried out: what is needed
 * and what narrows the trace first, recording last, so that nothing is recorded that the
 * script does not ask for.
 *
 * @module
 */
import { shortName, type TargetFacts } from "../../engine/query/facts.ts";
import type { ControlStep, PlannedStep } from "../../engine/control/plan.ts";
import { listed } from "./choose_source.ts";
import { undoText } from "./undo.ts";

const ORDER: readonly ControlStep["control"][] = [
  "enable",
  "roots",
  "depth",
  "mute",
  "recording",
  "module",
  "keys",
  "enabled",
];

/** Orders the steps and says what each changes. */
export function orderWrites(
  steps: readonly ControlStep[],
  facts: TargetFacts,
): PlannedStep[] {
  return [...steps]
    .sort((a, b) => ORDER.indexOf(a.control) - ORDER.indexOf(b.control))
    .map((step): PlannedStep => ({
      step,
      undo: undoText(step, facts),
      ...describe(step, facts),
    }));
}

function describe(
  step: ControlStep,
  facts: TargetFacts,
): Pick<PlannedStep, "what" | "change" | "by"> {
  const onOff = (on: boolean) => on ? "1" : "0";
  switch (step.control) {
    case "roots":
      return {
        what: "roots",
        change: `${listed(facts.roots.map(shortName))} -> ${
          listed([...step.functions], 8)
        }`,
        by: "ftrace_graph_hash",
      };
    case "depth":
      return {
        what: "depth",
        change: `${facts.maxDepth} -> ${step.levels}`,
        by: "fgraph_max_depth",
      };
    case "mute":
      return {
        what: "mute",
        change: listed(step.events),
        by: "trace_event_file.flags",
      };
    case "enable":
      return {
        what: "enable",
        change: `${listed(step.events)}: 0 -> 1`,
        by: "module mailbox: tracefs events/*/*/enable",
      };
    case "recording":
      return {
        what: "recording",
        change: `${onOff(!step.on)} -> ${onOff(step.on)}`,
        by: "trace_buffer.record_disabled",
      };
    case "module":
      return {
        what: "module",
        change: `not registered -> roots ${
          step.roots.length === 0 ? "any" : listed(step.roots.map(shortName), 8)
        }; records ${
          step.functions === "all"
            ? "all functions"
            : listed(step.functions.map(shortName), 8)
        }; ${step.levels === 0 ? "all levels" : `${step.levels} levels`}`,
        by: "module mailbox: reset, configure",
      };
    case "keys":
      return {
        what: "keys",
        change: "none -> a new one for each CPU every 100 ms",
        by: "xft_cpu.slot_key, slot_epoch; xft_control.heartbeat_nonce",
      };
    case "enabled":
      return {
        what: "enabled",
        change: "0 -> 1",
        by: "xft_control.enabled",
      };
  }
}
