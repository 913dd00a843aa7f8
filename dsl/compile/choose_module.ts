/**
 * Pass: decides whether the guest's module can record a trace's calls.
 *
 * @module
 */
import type { TargetFacts } from "../../engine/query/facts.ts";
import { namedFields } from "./named_fields.ts";
import type { Draft } from "./draft.ts";

/**
 * Why the module cannot record what a trace asks for; `undefined` when it can.
 */
export function moduleProblem(
  draft: Draft,
  facts: TargetFacts,
): string | undefined {
  const { module } = facts.capabilities;
  if (module === undefined) {
    return facts.live
      ? "the guest has no module loaded"
      : "a recording holds none of its entries";
  }
  if (module.problem !== undefined) return module.problem;
  if (namedFields(draft).has("ret")) return "it records no return values";
  if (draft.markers.size > 0) {
    return "it records no events, by which the trace begins or ends";
  }
  const count = (draft.functions?.length ?? 0) + draft.under.length;
  if (!needsAll(draft) && count > module.maxFunctions) {
    return `it takes ${module.maxFunctions} functions, not ${count}`;
  }
  return undefined;
}

/**
 * Whether all functions (at least those below the roots) must be recorded,
 * because the trace asks what the functions call or how deep they are nested.
 */
export function needsAll(draft: Draft): boolean {
  const { depth } = draft.spec;
  return draft.functions === undefined || draft.inside ||
    (depth !== undefined && depth !== 1) || namedFields(draft).has("depth");
}

/** Whether a closure of the script mentions a field in its source text. */
export function closureAsks(draft: Draft, field: string): boolean {
  const { filters, from, until } = draft.spec;
  const name = new RegExp(`\\b${field}\\b`);
  return [...filters, ...from, ...until].some((each) =>
    each.kind === "closure" && name.test(String(each.test))
  );
}
