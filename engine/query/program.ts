/**
 * A compiled script: the plan, which can be printed, together with what cannot
 * be printed (addresses, and the script's own functions).
 *
 * @module
 */
import type { FieldKind } from "./expression.ts";
import type { Plan, PlannedTrace } from "../control/plan.ts";
import type { FilterSpec, Moment, SinkSpec } from "./spec.ts";

/** A function whose calls are wanted. */
export interface FunctionTarget {
  /** The kernel's full name for it. */
  readonly name: string;
  /** Addresses by which entries may refer to it: its symbol, its call site. */
  readonly addresses: readonly bigint[];
}

/** A system call that is observed through its events. */
export interface SyscallTarget {
  /** `sys_openat`. */
  readonly name: string;
  /** Addresses by which entries may refer to its function. */
  readonly addresses: readonly bigint[];
  /** Ids of its events. */
  readonly enter: number;
  readonly exit: number;
  readonly args: readonly string[];
  readonly types: readonly string[];
  /**
   * Arguments whose strings the enter event holds, with the offset of the
   * `__data_loc` word of each; absent on kernels that record none.
   */
  readonly strings?: readonly { readonly arg: number; readonly at: number }[];
}

/** Which events a stream selects. */
export type Selection =
  | {
    readonly via: "graph returns" | "graph calls";
    /** Undefined: all functions. */
    readonly functions: readonly FunctionTarget[] | undefined;
    readonly under: readonly FunctionTarget[];
    readonly depth: number | undefined;
  }
  | {
    /** Calls as the guest's module records them. */
    readonly via: "module calls";
    readonly functions: readonly FunctionTarget[] | undefined;
    readonly under: readonly FunctionTarget[];
    readonly depth: number | undefined;
    /** The system calls among them, whose entries have arguments. */
    readonly calls: readonly SyscallTarget[];
  }
  | {
    readonly via: "syscall events";
    readonly calls: readonly SyscallTarget[];
  }
  | { readonly via: "events"; readonly ids: readonly number[] };

/** One trace of the script, ready to be run. */
export interface Stream {
  readonly title: string;
  readonly select: Selection;
  readonly fields: ReadonlyMap<string, FieldKind>;
  /** The conditions left to be tested on the host, in the script's order. */
  readonly filters: readonly FilterSpec[];
  readonly from: readonly Moment[];
  readonly until: readonly Moment[];
  /** Ids of the events for which `from` and `until` wait. */
  readonly markers: ReadonlyMap<Moment, readonly number[]>;
  readonly every: number | undefined;
  /** Whether a sink needs what happened inside a call. */
  readonly inside: boolean;
  /** Whether the script uses callers, including those outside the functions. */
  readonly callers: boolean;
  /** The sinks, each with the index of its query. */
  readonly sinks: readonly {
    readonly sink: SinkSpec;
    readonly query: number;
  }[];
  readonly planned: PlannedTrace;
}

/** A compiled script. */
export interface Program {
  readonly plan: Plan;
  readonly streams: readonly Stream[];
  /** Whether conditions on processes need the process tree. */
  readonly asksProcesses: boolean;
}
