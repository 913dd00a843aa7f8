/**
 * What a plan is compiled for: the target's kernel, what it traces now, and
 * what it can be told.
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
  /** Whether the guest records it now. */
  readonly enabled: boolean;
}

/** The events of a kernel. */
export interface EventIndex {
  readonly all: readonly EventFact[];
  /** The format of an event. */
  format(id: number): EventFormat | undefined;
}

/** What the target can be told. */
export interface Capabilities {
  /** Words can be written: a live guest. */
  readonly writes: boolean;
  /** How many graph roots can be set (entries of `ftrace_graph_hash`). */
  readonly roots: number;
  /** Whether the depth of the function graph can be limited. */
  readonly depth: boolean;
  /** Whether single events can be muted. */
  readonly mute: boolean;
  /** What the guest's module can be told; absent: none is loaded. */
  readonly module?: ModuleFacts;
}

/** The guest's module. */
export interface ModuleFacts {
  /** Why it cannot be used now; absent: it can. */
  readonly problem?: string;
  /** Whether it can be told to write tracefs files, whatever it records. */
  readonly tracefs: boolean;
  /** GVA of its control page. */
  readonly page: bigint;
  /** How it is told to seal entries. */
  readonly seal: SealName;
  /** Entries that one CPU's ring holds. */
  readonly ringEntries: number;
  /** Roots that it takes. */
  readonly maxRoots: number;
  /** Functions that it takes, roots included. */
  readonly maxFunctions: number;
  /** Whether it has to use the filter of `set_ftrace_filter`, and empty it. */
  readonly sharedFilter: boolean;
}

/** Everything a plan is compiled from besides the script. */
export interface TargetFacts {
  /** As the user names it: `qemu:web1`, `core:web1.core.zst`. */
  readonly target: string;
  /** As uname -r. */
  readonly kernel: string;
  readonly live: boolean;
  /** CPUs with a buffer. */
  readonly cpus: number;
  /** Bytes of all pages of one CPU's buffer. */
  readonly bufferBytes: number;
  /** The current tracer: `nop`, `function_graph`. */
  readonly tracer: string;
  /** Whether `tracing_on` is 1. */
  readonly recording: boolean;
  /** Names of the graph roots set now; empty: all functions. */
  readonly roots: readonly string[];
  /** `max_graph_depth`; 0: no limit. */
  readonly maxDepth: number;
  /** Whether graph returns carry return values. */
  readonly returnValues: boolean;
  readonly functions: FunctionIndex;
  readonly events: EventIndex;
  readonly capabilities: Capabilities;
}
