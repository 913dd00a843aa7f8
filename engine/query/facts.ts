/**
 * The facts for which a plan is compiled: the target's kernel, what it is
 * tracing, and what it can be made to trace.
 *
 * @module
 */
import type { FunctionIndex } from "../kernel/functions/index.ts";
import type { EventFormat } from "../ftrace/events/formats.ts";
import type { SealName } from "../seal/page/abi.ts";

/** An event of the target. */
export interface EventFact {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  /** Whether the guest is recording it. */
  readonly enabled: boolean;
}

/** The events of a kernel. */
export interface EventIndex {
  readonly all: readonly EventFact[];
  /** The format of an event. */
  format(id: number): EventFormat | undefined;
}

/** The target's capabilities. */
export interface Capabilities {
  /** Whether guest memory can be written, which is so for a live guest. */
  readonly writes: boolean;
  /** The maximum number of graph roots (entries of `ftrace_graph_hash`). */
  readonly roots: number;
  /** Whether the depth of the function graph can be limited. */
  readonly depth: boolean;
  /** Whether individual events can be muted. */
  readonly mute: boolean;
  /** The capabilities of the guest's module; absent when none is loaded. */
  readonly module?: ModuleFacts;
}

/** The guest's module. */
export interface ModuleFacts {
  /** Why it cannot be used at the moment; absent when it can. */
  readonly problem?: string;
  /** Whether it can write tracefs files, no matter what it is recording. */
  readonly tracefs: boolean;
  /** GVA of its control page. */
  readonly page: bigint;
  /** How it will seal entries. */
  readonly seal: SealName;
  /** The number of entries that a CPU's ring can hold. */
  readonly ringEntries: number;
  /** The maximum number of roots. */
  readonly maxRoots: number;
  /** The maximum number of functions, including roots. */
  readonly maxFunctions: number;
  /**
   * Whether it has to use the filter of `set_ftrace_filter`, and must empty it.
   */
  readonly sharedFilter: boolean;
}

/** Everything from which a plan is compiled, apart from the script. */
export interface TargetFacts {
  /** As the user names it: `qemu:web1`, `core:web1.core.zst`. */
  readonly target: string;
  /** As printed by `uname -r`. */
  readonly kernel: string;
  readonly live: boolean;
  /** The number of CPUs that have a buffer. */
  readonly cpus: number;
  /** Size of all pages of one CPU's buffer, in bytes. */
  readonly bufferBytes: number;
  /** The current tracer: `nop`, `function_graph`. */
  readonly tracer: string;
  /** Whether `tracing_on` is 1. */
  readonly recording: boolean;
  /** Names of the current graph roots; empty: all functions. */
  readonly roots: readonly string[];
  /** `max_graph_depth`; 0: no limit. */
  readonly maxDepth: number;
  /** Whether graph returns carry return values. */
  readonly returnValues: boolean;
  readonly functions: FunctionIndex;
  readonly events: EventIndex;
  readonly capabilities: Capabilities;
}
