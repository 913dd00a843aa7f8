/**
 * Pass: how each step is taken back.
 *
 * @module
 */
import { shortName, type TargetFacts } from "../../engine/query/facts.ts";
import type { ControlStep } from "../../engine/control/plan.ts";
import { listed } from "./choose_source.ts";

/** What taking a step back comes to. */
export function undoText(step: ControlStep, facts: TargetFacts): string {
  switch (step.control) {
    case "roots":
      return `back to ${listed(facts.roots.map(shortName))}`;
    case "depth":
      return `back to ${facts.maxDepth}`;
    case "mute":
      return "recorded again";
    case "enable":
      return "module mailbox: back to 0";
    case "recording":
      return `back to ${step.on ? "0" : "1"}`;
    case "module":
      return facts.capabilities.module?.sharedFilter === true
        ? "module mailbox: unregister; set_ftrace_filter, which it needs here, is emptied"
        : "module mailbox: unregister";
    case "keys":
      return "none are sent any more";
    case "enabled":
      return "back to 0";
  }
}
