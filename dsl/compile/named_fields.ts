/**
 * Which fields a trace asks for by name.
 *
 * @module
 */
import { visitLeaves } from "../../engine/query/expression.ts";
import { sinkKind } from "../../engine/passes/sinks/all.ts";
import type { Draft } from "./draft.ts";

/** Names of the fields that a trace's filters and sinks use. */
export function namedFields(draft: Draft): Set<string> {
  const names = new Set<string>();
  for (const filter of draft.spec.filters) {
    if (filter.kind === "expression") {
      visitLeaves(filter.node, (leaf) => names.add(leaf.field));
    }
  }
  for (const { sink } of draft.sinks) {
    for (const { path } of sinkKind(sink).fields?.(sink) ?? []) names.add(path);
  }
  return names;
}
