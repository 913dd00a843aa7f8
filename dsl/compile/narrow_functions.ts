/**
 * Pass: evaluates conditions on the function's name at compile time, so that
 * both guest and host deal with the matching functions only.
 *
 * @module
 */
import {
  type Expression,
  expressionText,
  type Leaf,
} from "../../engine/query/expression.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import { globRegExp } from "../../engine/base/glob.ts";
import type { Draft, Notes } from "./draft.ts";
import { namedFields } from "./named_fields.ts";

/**
 * Narrows a draft's functions, and drops the conditions that it has evaluated.
 */
export function narrowFunctions(
  draft: Draft,
  facts: TargetFacts,
  notes: Notes,
): void {
  const shorten = (name: string) => facts.functions.syscalls.short(name);
  const { functions } = draft;
  // Levels are counted from the outermost function asked for: all are needed.
  if (
    functions === undefined || draft.inside || draft.spec.depth !== undefined ||
    namedFields(draft).has("depth")
  ) return;
  const decided: Expression[] = [];
  const left: Expression[] = [];
  for (const part of draft.residual) {
    (onFunction(part) ? decided : left).push(part);
  }
  if (decided.length === 0) return;
  const kept = functions.filter(({ name }) =>
    decided.every((part) => holds(part, shorten(name), shorten))
  );
  // No function passes: the filter stays, and lets no event through.
  if (kept.length === 0) return;
  if (kept.length < functions.length) {
    notes.note(
      `${
        expressionText({ op: "all", of: decided })
      } leaves ${kept.length} of ${functions.length} functions of ${draft.title}`,
    );
  }
  draft.functions = kept;
  draft.residual = left;
  draft.syscalls = draft.syscalls.filter((call) =>
    kept.some(({ name }) => shorten(name) === call.name)
  );
}

/** Whether a condition uses the function's name only. */
function onFunction(node: Expression): boolean {
  switch (node.op) {
    case "all":
    case "any":
      return node.of.every(onFunction);
    case "not":
      return onFunction(node.of);
    case "compare":
    case "among":
    case "text":
      return node.field === "func" || node.field === "name";
    default:
      return false;
  }
}

/** Shortens a function's name to the form that scripts use: `sys_openat`. */
type Shorten = (name: string) => string;

function holds(node: Expression, name: string, shorten: Shorten): boolean {
  switch (node.op) {
    case "all":
      return node.of.every((part) => holds(part, name, shorten));
    case "any":
      return node.of.some((part) => holds(part, name, shorten));
    case "not":
      return !holds(node.of, name, shorten);
    case "process":
      return false;
    default:
      return leafHolds(node, name, shorten);
  }
}

function leafHolds(leaf: Leaf, name: string, shorten: Shorten): boolean {
  const named = (value: number | bigint | string) => shorten(String(value));
  switch (leaf.op) {
    case "among":
      return leaf.values.some((value) => named(value) === name);
    case "text": {
      const pattern = shorten(leaf.pattern);
      switch (leaf.test) {
        case "glob":
          return globRegExp(pattern).test(name);
        case "startsWith":
          return name.startsWith(pattern);
        case "endsWith":
          return name.endsWith(pattern);
        case "includes":
          return name.includes(pattern);
      }
      return false;
    }
    case "compare": {
      const value = named(leaf.value);
      switch (leaf.is) {
        case "eq":
          return name === value;
        case "ne":
          return name !== value;
        case "lt":
          return name < value;
        case "le":
          return name <= value;
        case "gt":
          return name > value;
        case "ge":
          return name >= value;
      }
      return false;
    }
    default:
      return false;
  }
}
