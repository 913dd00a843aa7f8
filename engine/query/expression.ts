/**
 * Filter expressions as data. The language builds them and a plan prints them;
 * the guest evaluates them, or the host does so on columns.
 *
 * A comparison with a field that an event does not have is false (and its
 * negation true).
 *
 * @module
 */
import type { FieldKind } from "../ftrace/events/field_kinds.ts";
import type { SourcePlace } from "./place.ts";

export type { FieldKind };

/** How two values are compared. */
export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** How a text is compared. */
export type TextTest = "glob" | "startsWith" | "endsWith" | "includes";

/** Which processes to select. */
export interface ProcessSpec {
  /** A pid (thread group), or a glob that the command must match. */
  readonly match: number | string;
  /** Whether to include their descendants. */
  readonly children: boolean;
}

/** A condition on one event. */
export type Expression =
  | { readonly op: "all" | "any"; readonly of: readonly Expression[] }
  | { readonly op: "not"; readonly of: Expression }
  | {
    readonly op: "compare";
    /** `duration`, `args.filename`, `prev_comm`. */
    readonly field: string;
    readonly is: Comparison;
    /** Numbers in ns, in bytes or without a unit. */
    readonly value: number | bigint | string;
    readonly at?: SourcePlace;
  }
  | {
    readonly op: "among";
    readonly field: string;
    readonly values: readonly (number | bigint | string)[];
    readonly at?: SourcePlace;
  }
  | {
    readonly op: "text";
    readonly field: string;
    readonly test: TextTest;
    readonly pattern: string;
    readonly at?: SourcePlace;
  }
  | {
    /** All bits of `mask` are set. */
    readonly op: "bits";
    readonly field: string;
    readonly mask: number;
    readonly at?: SourcePlace;
  }
  | {
    /** The address is not in the text of the kernel or of a known module. */
    readonly op: "foreign";
    readonly field: string;
    readonly at?: SourcePlace;
  }
  | {
    readonly op: "process";
    readonly who: ProcessSpec;
    readonly at?: SourcePlace;
  };

/** An expression that names a field. */
export type Leaf = Exclude<
  Expression,
  { readonly op: "all" | "any" | "not" | "process" }
>;

const SIGNS: Record<Comparison, string> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
};

/** The unit in which a field's numbers are shown, by the field's kind. */
function unitOf(kind: FieldKind | undefined): string {
  if (kind === "duration" || kind === "time") return " ns";
  return kind === "size" ? " bytes" : "";
}

function valueText(
  value: number | bigint | string,
  kind: FieldKind | undefined,
): string {
  return typeof value === "string"
    ? JSON.stringify(value)
    : `${value}${unitOf(kind)}`;
}

/**
 * An expression as one line: `duration > 100000 ns and comm ~ "ssh*"`.
 *
 * @param kindOf the kind of a field, which decides its unit
 */
export function expressionText(
  node: Expression,
  kindOf: (field: string) => FieldKind | undefined = () => undefined,
): string {
  const inner = (child: Expression) =>
    child.op === "all" || child.op === "any"
      ? `(${expressionText(child, kindOf)})`
      : expressionText(child, kindOf);
  switch (node.op) {
    case "all":
    case "any": {
      if (node.of.length === 0) return node.op === "all" ? "true" : "false";
      return node.of.map(inner).join(node.op === "all" ? " and " : " or ");
    }
    case "not":
      return `not ${inner(node.of)}`;
    case "compare":
      return `${node.field} ${SIGNS[node.is]} ${
        valueText(node.value, kindOf(node.field))
      }`;
    case "among":
      return `${node.field} in ${
        node.values.map((value) => valueText(value, kindOf(node.field)))
          .join(", ")
      }`;
    case "text":
      return node.test === "glob"
        ? `${node.field} ~ ${JSON.stringify(node.pattern)}`
        : `${node.field} ${node.test} ${JSON.stringify(node.pattern)}`;
    case "bits":
      return `${node.field} has 0x${node.mask.toString(16)}`;
    case "foreign":
      return `${node.field} is foreign`;
    case "process":
      return `process ${processText(node.who)}`;
  }
}

/** A process as a plan names it: `"sshd*" with children`. */
export function processText(who: ProcessSpec): string {
  const name = typeof who.match === "number"
    ? String(who.match)
    : JSON.stringify(who.match);
  return who.children ? `${name} with children` : name;
}

/** Calls `visit` for each part that names a field. */
export function visitLeaves(
  node: Expression,
  visit: (leaf: Leaf) => void,
): void {
  switch (node.op) {
    case "all":
    case "any":
      for (const child of node.of) visitLeaves(child, visit);
      return;
    case "not":
      return visitLeaves(node.of, visit);
    case "process":
      return;
    default:
      visit(node);
  }
}

/** Whether an expression depends on processes. */
export function asksProcess(node: Expression): boolean {
  switch (node.op) {
    case "all":
    case "any":
      return node.of.some(asksProcess);
    case "not":
      return asksProcess(node.of);
    default:
      return node.op === "process";
  }
}

/** Whether an expression depends on processes and their children. */
export function asksChildren(node: Expression): boolean {
  switch (node.op) {
    case "all":
    case "any":
      return node.of.some(asksChildren);
    case "not":
      return asksChildren(node.of);
    default:
      return node.op === "process" && node.who.children;
  }
}

/** The conditions that must all hold: nested `and`s are flattened. */
export function conjuncts(node: Expression): Expression[] {
  return node.op === "all" ? node.of.flatMap(conjuncts) : [node];
}
