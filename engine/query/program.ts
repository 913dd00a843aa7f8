/**
 * A compiled script: the plan that can be printed, and what cannot be printed
 * (addresses, the script's own functions), side by side.
 *
 * @module
 */
import type { FieldKind } from "./expression.ts";
import type { Plan, PlannedTrace } from "../control/plan.ts";
import type { FilterSpec, Moment, SinkSpec } from "./spec.ts";

/** A function to look for. */
export interface FunctionTarget {
  /** The kernel's name, in full. */
  readonly name: string;
  /** Addresses at which entries may name it: its symbol, its site. */
  readonly addresses: readonly bigint[];
}

/** A system call seen by its events. */
export interface SyscallTarget {
  /** `sys_openat`. */
  readonly name: string;
  /** Addresses at which entries may name its function. */
  readonly addresses: readonly bigint[];
  /** Ids of its events. */
  readonly enter: number;
  readonly exit: number;
  readonly args: readonly string[];
  readonly types: readonly string[];
}

/** Which events a stream takes. */
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
    /** System calls among them, whose entries have arguments. */
    readonly calls: readonly SyscallTarget[];
  }
  | {
    readonly via: "syscall events";
    readonly calls: readonly SyscallTarget[];
  }
  | { readonly via: "events"; readonly ids: readonly number[] };

/** One trace of the script, ready to run. */
export interface Stream {
  readonly title: string;
  readonly select: Selection;
  readonly fields: ReadonlyMap<string, FieldKind>;
  /** What is left to be tested on the host, in the script's order. */
  readonly filters: readonly FilterSpec[];
  readonly from: readonly Moment[];
  readonly until: readonly Moment[];
  /** Ids of the events that `from` and `until` wait for. */
  readonly markers: ReadonlyMap<Moment, readonly number[]>;
  readonly every: number | undefined;
  /** Whether a sink looks at what happened inside a call. */
  readonly inside: boolean;
  /** Whether the script names callers, also those outside the functions. */
  readonly callers: boolean;
  /** The sinks, each with its place among the queries. */
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
  /** Whether process conditions ask for the process tree. */
  readonly asksProcesses: boolean;
}
