/**
 * Whether an argument of a `print fmt` depends on one number of the event alone.
 *
 * @module
 */
import type { DatEvent, DatField } from "../../tracedat/format_file.ts";
import type { PrintArg } from "./print_arg.ts";
import { anyField } from "./print_values.ts";

/**
 * The field that is a number on which alone an argument depends; undefined if it
 * depends on others, on none, or on anything but the event.
 */
export function soleArgField(
  arg: PrintArg,
  event: DatEvent,
): DatField | undefined {
  let sole: DatField | undefined;
  const isPure = (each: PrintArg): boolean => {
    switch (each.kind) {
      case "none":
      case "atom":
      case "text":
        return true;
      case "field": {
        const field = anyField(event, each.name);
        if (
          field === undefined || field.array || field.dynamic ||
          (sole !== undefined && sole !== field)
        ) return false;
        sole = field;
        return true;
      }
      case "cast":
        return isPure(each.item);
      case "op":
        return each.op !== "[" && isPure(each.left) && isPure(each.right);
      case "flags":
      case "symbol":
        return isPure(each.value);
      default:
        return false;
    }
  };
  // A text that a number points to is elsewhere.
  return arg.kind !== "field" && isPure(arg) ? sole : undefined;
}
