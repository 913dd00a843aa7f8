/**
 * Pass: the steps in the order in which they are carried out: what is needed
 * and what narrows the trace first, recording last, so that nothing is
 * recorded that the script does not ask for.
 *
 * @module
 */
import type { ControlStep, PlannedStep } from "../../engine/control/plan.ts";

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

/** Orders the steps. */
export function orderWrites(steps: readonly ControlStep[]): PlannedStep[] {
  return [...steps]
    .sort((a, b) => ORDER.indexOf(a.control) - ORDER.indexOf(b.control))
    .map((step) => ({ step }));
}
