/**
 * Pass: which fields the events will have, and whether the script's
 * conditions and sinks fit them.
 *
 * @module
 */
import type { FieldKind, Leaf } from "../../engine/query/expression.ts";
import { visitLeaves } from "../../engine/query/expression.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import { didYouMean, nearNames } from "../../engine/base/near_names.ts";
import {
  argumentKind,
  fieldKind,
} from "../../engine/ftrace/events/field_kinds.ts";
import { sinkKind } from "../../engine/passes/sinks/all.ts";
import type { SourcePlace } from "../../engine/query/place.ts";
import { CompileError } from "../errors.ts";
import type { Draft } from "./draft.ts";
import { namedFields } from "./named_fields.ts";

/** The fields of a draft's events, with their kinds. */
export function fieldsOf(
  draft: Draft,
  facts: TargetFacts,
): Map<string, FieldKind> {
  const fields = new Map<string, FieldKind>([
    ["ts", "time"],
    ["cpu", "number"],
    ["pid", "number"],
    ["comm", "text"],
  ]);
  if (draft.via === "events") {
    fields.set("name", "text");
    for (const id of draft.ids) {
      const format = facts.events.format(id);
      if (format === undefined) continue;
      for (const field of format.fields) {
        const kind = fieldKind(format, field);
        if (kind === undefined) continue;
        if (!fields.has(field.name)) fields.set(field.name, kind);
        fields.set(`args.${field.name}`, kind);
      }
    }
    return fields;
  }
  fields.set("name", "function");
  fields.set("func", "function");
  fields.set("duration", "duration");
  if (draft.via === "graph calls" || draft.via === "module calls") {
    fields.set("caller", "function");
    // Otherwise the guest may have recorded only some of the levels.
    if (
      draft.inside || draft.spec.depth !== undefined ||
      namedFields(draft).has("depth")
    ) fields.set("depth", "number");
  }
  if (draft.via === "syscall events") fields.set("ret", "number");
  if (draft.via === "syscall events" || draft.via === "module calls") {
    for (const call of draft.syscalls) {
      call.args.forEach((arg, i) =>
        fields.set(`args.${arg}`, argumentKind(arg, call.types[i]))
      );
    }
  } else if (facts.returnValues) fields.set("ret", "number");
  return fields;
}

/**
 * Checks that the fields named in conditions and sinks exist and are of a
 * fitting kind.
 *
 * @throws {CompileError} naming the field, with similar names.
 */
export function checkFields(draft: Draft, facts: TargetFacts): void {
  for (const filter of draft.spec.filters) {
    if (filter.kind === "expression") {
      visitLeaves(filter.node, (leaf) => checkLeaf(leaf, draft, facts));
    }
  }
  const at = draft.spec.at;
  for (const { sink } of draft.sinks) {
    for (const { path, as } of sinkKind(sink).fields?.(sink) ?? []) {
      if (as === "number") requireNumber(sink.kind, path, draft, facts, at);
      else requireField(path, draft, facts, at);
    }
  }
}

function requireField(
  field: string,
  draft: Draft,
  facts: TargetFacts,
  at: SourcePlace | undefined,
): FieldKind {
  const kind = draft.fields.get(field);
  if (kind !== undefined) return kind;
  throw new CompileError(missingField(field, draft, facts), at);
}

function missingField(
  field: string,
  draft: Draft,
  facts: TargetFacts,
): string {
  const graph = draft.via.startsWith("graph");
  if (draft.via === "module calls" && field.startsWith("args.")) {
    if (!draft.allSyscalls) {
      return `the module records the arguments of system calls alone, so ${field} is not known`;
    }
  }
  if (graph && field.startsWith("args.")) {
    return draft.allSyscalls
      ? `the function graph of ${facts.target} records no arguments, so ${field} is not known: enable the system call's events in the guest (trace_event=syscalls:...), which do`
      : `the function graph of ${facts.target} records no arguments, so ${field} is not known`;
  }
  if (graph && field === "ret") {
    return `the function graph of the kernel ${facts.kernel} records no return values, so ret is not known: enable the system call's events in the guest (trace_event=syscalls:...), which do`;
  }
  const names = [...draft.fields.keys()].filter((name) =>
    !name.startsWith("args.") || !draft.fields.has(name.slice(5))
  );
  const near = nearNames(field, names);
  return `events of ${draft.title} have no field "${field}"${
    near.length > 0 ? didYouMean(near) : `; they have ${names.join(", ")}`
  }`;
}

function isText(kind: FieldKind): boolean {
  return kind === "text" || kind === "function";
}

function requireNumber(
  sink: string,
  field: string,
  draft: Draft,
  facts: TargetFacts,
  at: SourcePlace | undefined,
): void {
  const kind = requireField(field, draft, facts, at);
  if (isText(kind) || kind === "address") {
    throw new CompileError(
      `${sink}() needs a number, but the field "${field}" of ${draft.title} is ${
        kind === "address" ? "an address" : "a text"
      }; count(${field}) takes it`,
      at,
    );
  }
}

function checkLeaf(leaf: Leaf, draft: Draft, facts: TargetFacts): void {
  const { field, at } = leaf;
  const kind = requireField(field, draft, facts, at);
  const values = leaf.op === "compare"
    ? [leaf.value]
    : leaf.op === "among"
    ? leaf.values
    : [];
  for (const value of values) {
    if (isText(kind) === (typeof value === "string")) continue;
    throw new CompileError(
      isText(kind)
        ? `the field "${field}" of ${draft.title} is a text: it cannot be compared with the number ${value}`
        : `the field "${field}" of ${draft.title} is a number: it cannot be compared with the text "${value}"`,
      at,
    );
  }
  if (leaf.op === "text" && !isText(kind)) {
    throw new CompileError(
      `the field "${field}" of ${draft.title} is a number: ${leaf.test}() is for texts`,
      at,
    );
  }
  if (leaf.op === "bits" && isText(kind)) {
    throw new CompileError(
      `the field "${field}" of ${draft.title} is a text: has() is for numbers`,
      at,
    );
  }
  if (leaf.op === "foreign" && kind !== "function") {
    throw new CompileError(
      `the field "${field}" of ${draft.title} is no function: isForeign() is for func, caller and the like`,
      at,
    );
  }
}
