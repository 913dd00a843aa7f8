/**
 * Pass: orders the steps. Events are enabled and the trace is narrowed first,
 * recording starts last, so that nothing is recorded that the script did not
 * ask for.
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

/** Sorts the steps into the order in which they are carried out. */
export function orderWrites(steps: readonly ControlStep[]): PlannedStep[] {
  return [...steps]
    .sort((a, b) => ORDER.indexOf(a.control) - ORDER.indexOf(b.control))
    .map((step) => ({ step }));
}
