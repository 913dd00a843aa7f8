/**
 * The arguments of a `print fmt`: expressions over the fields of an event, with
 * the functions of libtraceevent (event-parse.h, struct tep_print_arg).
 *
 * @module
 */
import type { DatField } from "../../tracedat/format_file.ts";

/** A value of a list of flags or symbols, and its name. */
export interface NamedValue {
  readonly value: string;
  readonly name: string;
}

/** An expression. */
export type PrintArg =
  | { readonly kind: "none" }
  | { readonly kind: "atom"; readonly text: string }
  /** A text that an entry of `trace_printk` holds. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "cast"; readonly type: string; readonly item: PrintArg }
  | OpArg
  | {
    readonly kind: "flags";
    readonly value: PrintArg;
    readonly delimiter: string;
    readonly names: readonly NamedValue[];
  }
  | {
    readonly kind: "symbol";
    readonly value: PrintArg;
    readonly names: readonly NamedValue[];
  }
  | {
    readonly kind: "hex";
    readonly value: PrintArg;
    readonly size: PrintArg;
    readonly spaces: boolean;
  }
  | {
    readonly kind: "array";
    readonly value: PrintArg;
    readonly count: PrintArg;
    readonly size: PrintArg;
  }
  | {
    readonly kind: "string" | "bitmask" | "cpumask";
    readonly name: string;
  }
  | {
    readonly kind: "dynamic" | "dynamicLength";
    readonly field: DatField;
  }
  | {
    readonly kind: "call";
    readonly name: string;
    readonly args: readonly PrintArg[];
  };

/** An operator with its operands; `left` is "none" for `-x`, `~x`, `!x`. */
export interface OpArg {
  readonly kind: "op";
  readonly op: string;
  left: PrintArg;
  right: PrintArg;
  prio: number;
}

/** Functions that are known, and how many arguments they take. */
export const FUNCTIONS: Readonly<Record<string, number>> = {
  jbd2_dev_to_name: 1,
  jiffies_to_msecs: 1,
  __le16_to_cpup: 1,
  xen_hypercall_name: 1,
};
