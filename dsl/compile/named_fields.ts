/**
 * Which fields a trace asks for by name.
 *
 * @module
 */
import { visitLeaves } from "../../engine/query/expression.ts";
import type { Draft } from "./draft.ts";

/** Names of the fields that a trace's filters and sinks name. */
export function namedFields(draft: Draft): Set<string> {
  const names = new Set<string>();
  for (const filter of draft.spec.filters) {
    if (filter.kind === "expression") {
      visitLeaves(filter.node, (leaf) => names.add(leaf.field));
    }
  }
  for (const { sink } of draft.sinks) {
    if (sink.kind === "count") sink.by.forEach((each) => names.add(each));
    if (sink.kind === "hist" || sink.kind === "stats") {
      names.add(sink.field);
      sink.by.forEach((each) => names.add(each));
    }
    if (sink.kind === "top") names.add(sink.field);
  }
  return names;
}
