/**
 * Whether an expression of a print_fmt depends on one number of the event alone:
 * then so does its text, which needs to be made once for each number.
 *
 * @module
 */
import type { EventField } from "../../../ftrace/events/formats.ts";
import type { Scope } from "./code.ts";
import { integerField } from "./number_piece.ts";
import type { Node } from "./parser.ts";

/** Functions whose result depends on nothing but their arguments. */
const PURE: ReadonlySet<string> = new Set([
  "__print_flags",
  "__print_flags_u64",
  "__print_symbolic",
  "__print_symbolic_u64",
]);

/**
 * The integer field on which alone an expression depends; undefined if it
 * depends on others, on none, or on anything but the event.
 */
export function soleField(
  node: Node,
  scope: Scope,
): EventField | undefined {
  let sole: EventField | undefined;
  const isPure = (each: Node | undefined): boolean => {
    switch (each?.op) {
      case undefined:
      case "number":
      case "string":
        return true;
      case "name":
        return /^(?:true|false|NULL)$/.test(each.name) ||
          scope.env.enumerator?.(each.name) !== undefined;
      case "field": {
        const field = integerField(each, scope);
        if (field === undefined || (sole !== undefined && sole !== field)) {
          return false;
        }
        sole = field;
        return true;
      }
      case "call":
        return PURE.has(each.name) && each.args.every(isPure);
      case "unary":
        return /^[-+~!]$/.test(each.sign) && isPure(each.of);
      case "binary":
        return isPure(each.left) && isPure(each.right);
      case "choose":
        return isPure(each.test) && isPure(each.then) && isPure(each.otherwise);
      case "cast":
        return each.to.stars === 0 && isPure(each.of);
      case "braces":
        return each.items.every(isPure);
      default:
        return false;
    }
  };
  return isPure(node) ? sole : undefined;
}
