/**
 * The compiler's working state: one draft for each trace, filled in pass by
 * pass.
 *
 * @module
 */
import type { Expression, FieldKind } from "../../engine/query/expression.ts";
import type { Via } from "../../engine/control/plan.ts";
import type {
  FunctionTarget,
  SyscallTarget,
} from "../../engine/query/program.ts";
import type { Moment, SinkSpec, TraceSpec } from "../../engine/query/spec.ts";

/** A trace while it is being compiled to a stream. */
export interface Draft {
  readonly spec: TraceSpec;
  /** The functions or events as the script names them. */
  readonly title: string;
  readonly sinks: readonly {
    readonly sink: SinkSpec;
    readonly query: number;
  }[];
  /**
   * The kernel's functions; `undefined`: all of them, or the trace is of
   * events.
   */
  functions: readonly FunctionTarget[] | undefined;
  under: readonly FunctionTarget[];
  /**
   * Names of functions that today's programs no longer call (`open`, replaced
   * by `openat`): a trace may do without their events.
   */
  outdated: ReadonlySet<string>;
  /** Whether all functions are system calls' entry functions. */
  allSyscalls: boolean;
  /** The system calls whose events the guest has, enabled or not. */
  syscalls: readonly (SyscallTarget & { readonly enabled: boolean })[];
  /** Ids of the events asked for. */
  ids: readonly number[];
  /** Ids of the events that `from` and `until` wait for. */
  markers: ReadonlyMap<Moment, readonly number[]>;
  via: Via;
  /** Whether a sink looks at what happened inside calls. */
  inside: boolean;
  fields: ReadonlyMap<string, FieldKind>;
  /** Conditions that the host tests. */
  residual: Expression[];
  /** `system:name` of events that are to be enabled. */
  readonly enable: Set<string>;
  /** Why the guest's module is not used; empty: it is, or there is none. */
  moduleReason: string;
}

/** Collects notes for the user from all drafts. */
export interface Notes {
  /** Adds a sentence, unless it is there already. */
  note(sentence: string): void;
}
