/**
 * What of a `print fmt` is known before there is an event: operations on numbers
 * alone, and the values of lists of names.
 *
 * @module
 */
import type { PrintArg } from "./print_arg.ts";
import { castValue, numberOfText, operate } from "./print_numbers.ts";
import { UnreadableFormat } from "./print_tokens.ts";

/** An operation on two numbers is done at once. */
export function folded(arg: PrintArg): PrintArg {
  if (arg.kind !== "op") return arg;
  arg.left = folded(arg.left);
  arg.right = folded(arg.right);
  if (arg.left.kind !== "atom" || arg.right.kind !== "atom") return arg;
  if (arg.op === "?" || arg.op === ":" || arg.op === "[") return arg;
  const value = operate(
    arg.op,
    numberOfText(arg.left.text),
    numberOfText(arg.right.text),
  );
  return value === undefined ? arg : {
    kind: "atom",
    text: String(BigInt.asIntN(64, value)),
  };
}

/**
 * A constant of a list of names as text.
 *
 * @throws {UnreadableFormat} when it is none.
 */
export function constantText(arg: PrintArg): string {
  switch (arg.kind) {
    case "atom":
      return arg.text;
    case "cast":
      return constantText(arg.item);
    case "op":
      return String(BigInt.asIntN(64, constant(arg)));
    default:
      throw new UnreadableFormat("no constant");
  }
}

function constant(arg: PrintArg): bigint {
  switch (arg.kind) {
    case "none":
      return 0n;
    case "atom":
      return numberOfText(arg.text);
    case "cast":
      return castValue(constant(arg.item), arg.type);
    case "op": {
      if (arg.op === "~") return BigInt.asUintN(64, ~constant(arg.right));
      const value = operate(arg.op, constant(arg.left), constant(arg.right));
      if (value !== undefined) return value;
    }
  }
  throw new UnreadableFormat("no constant");
}
