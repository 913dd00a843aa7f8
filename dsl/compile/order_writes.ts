/**
 * Pass: the steps in the order in which they are carried out: what narrows
 * the trace first, recording last, so that nothing is recorded that the
 * script does not ask for.
 *
 * @module
 */
import { shortName, type TargetFacts } from "../../engine/plan/facts.ts";
import type { ControlStep, PlannedStep } from "../../engine/plan/plan.ts";
import { listed } from "./choose_source.ts";
import { undoText } from "./undo.ts";

const ORDER: readonly ControlStep["control"][] = [
  "module-filter",
  "roots",
  "depth",
  "mute",
  "recording",
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
    case "recording":
      return {
        what: "recording",
        change: `${onOff(!step.on)} -> ${onOff(step.on)}`,
        by: "trace_buffer.record_disabled",
      };
    case "module-filter":
      return {
        what: "filter",
        change: step.condition,
        by: "module mailbox",
      };
  }
}
