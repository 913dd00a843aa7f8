/**
 * The plan of what is changed in a guest, as data: the steps that are wanted,
 * and the changes that each of them comes to. It is printed by `plan_text.ts`,
 * carried out by `apply.ts` and taken back by `undo.ts`.
 *
 * What only the guest can tell is marked as not known. The printer has words
 * for that; a plan has none.
 *
 * @module
 */
import type { SealedConfig } from "../seal/tracer/trace_config.ts";

/** Milliseconds between two keys of a CPU, unless the user says otherwise. */
export const ROTATE_MS = 100;

/** What is wanted of the guest. */
export type ControlStep =
  | {
    /** An instance of Ftrace that is made, and removed at the end. */
    readonly control: "instance";
    readonly name: string;
  }
  | {
    /** A file of tracefs that the module, or the agent, writes. */
    readonly control: "file";
    /** Below tracefs: `trace_clock`. */
    readonly path: string;
  }
  | {
    /** Events that are recorded while the trace runs. */
    readonly control: "enable";
    /** `system:name` of each. */
    readonly events: readonly string[];
  }
  | {
    /** A stock tracer that the module, or the agent, selects. */
    readonly control: "tracer";
    /** The tracer that is selected now. */
    readonly before: string;
    readonly tracer: string;
  }
  | {
    readonly control: "roots";
    /** The roots now, by name; none: all functions. */
    readonly before: readonly string[];
    /** Kernel functions, in the order of their names. */
    readonly functions: readonly string[];
    /** GVAs of their symbols. */
    readonly addresses: readonly bigint[];
  }
  | {
    readonly control: "depth";
    /** The limit now; 0: none. */
    readonly before: number;
    readonly levels: number;
  }
  | {
    readonly control: "mute";
    /** `system:name` of events that are not to be recorded. */
    readonly events: readonly string[];
  }
  | {
    /** A CPU whose buffer records nothing. */
    readonly control: "cpu";
    readonly cpu: number;
  }
  | { readonly control: "recording"; readonly on: boolean }
  | {
    /** The module is told what to record, by commands in its mailbox. */
    readonly control: "module";
    /** Whose calls, with what is below them; empty: those of all functions. */
    readonly roots: readonly string[];
    /** What is recorded below a root, besides the roots. */
    readonly functions: readonly string[] | "all";
    /** Levels below a root, root included; 0: all. */
    readonly levels: number;
    /** Whether it needs the filter of `set_ftrace_filter`, and empties it. */
    readonly sharedFilter: boolean;
    /** What the module is told. */
    readonly config: SealedConfig;
  }
  | {
    readonly control: "keys";
    /** Milliseconds between two keys of a CPU. */
    readonly everyMs: number;
  }
  | { readonly control: "enabled" };

/** A word that must hold a value for a change to make sense. */
export interface WordGuard {
  /** The variable or member: `ftrace_graph_hash`. */
  readonly where: string;
  /** GVA of the u64. */
  readonly gva: bigint;
  readonly value: bigint;
}

/** One word of guest memory that is written. */
export interface WordChange {
  readonly way: "word";
  /** What it steers, in tracefs terms: `tracing_on`. */
  readonly what: string;
  /** The variable or member that is written. */
  readonly where: string;
  /** GVA of the word. */
  readonly gva: bigint;
  /** Bytes of the word. */
  readonly width: 4 | 8;
  /** The bits it changes; all bits of the word for a plain value. */
  readonly mask: bigint;
  /** The word's masked value when the change was planned. */
  readonly before: bigint;
  /** The masked value it writes. */
  readonly after: bigint;
  /**
   * Counters (`record_disabled`) are added to and not set: others count too.
   * Then `after - before` is what is added.
   */
  readonly counts?: boolean;
  /** It is written only over `before`: any other value makes the plan stale. */
  readonly exact?: boolean;
  /** Where the word's address came from: what it is written, and undone, under. */
  readonly guards?: readonly WordGuard[];
}

/** What a file of tracefs holds, as far as it is known. */
export type FileContent =
  | {
    readonly known: true;
    /** What is written to have it hold this again. */
    readonly text: string;
    /** A buffer's size that it gets when it is first used. */
    readonly whenUsed?: boolean;
  }
  /** Memory does not tell: the guest is asked before anything is written. */
  | { readonly known: false };

/** Who carries out changes of tracefs, when it is not the guest's module. */
export type Carrier = "agent";

/** One file of tracefs that the guest's module writes, or its agent. */
export interface FileChange {
  readonly way: "tracefs";
  /** Absent: the guest's module. */
  readonly by?: Carrier;
  /** Below tracefs: `instances/a/trace_clock`. */
  readonly path: string;
  /** What is written. */
  readonly text: string;
  /** It goes behind what the file holds, which stays. */
  readonly append: boolean;
  readonly before: FileContent;
  /**
   * A line that takes out of the file what was added, and nothing else (a
   * trigger's `!stacktrace`). Absent: the file is set back to `before`.
   */
  readonly remove?: string;
}

/** An instance of Ftrace that the guest's module makes, or its agent. */
export interface InstanceChange {
  readonly way: "instance";
  /** Absent: the guest's module. */
  readonly by?: Carrier;
  readonly name: string;
}

/** A command in the mailbox of the guest's module. */
export type ModuleCommand =
  | { readonly command: "reset" }
  | {
    readonly command: "configure";
    /** How many functions are roots. */
    readonly roots: number;
    /** How many functions are recorded. */
    readonly functions: number | "all";
  };

/** A word of the module's control page, changed as the module expects it. */
export interface ModuleChange {
  readonly way: "module";
  /** The member: `xft_control.command_number`. */
  readonly where: string;
  readonly gva: bigint;
  readonly width: 4 | 8;
  readonly before: bigint;
  readonly after: bigint;
  /** The commands given by it. */
  readonly commands: readonly ModuleCommand[];
}

/** One thing that is changed in the guest. */
export type Change = WordChange | FileChange | InstanceChange | ModuleChange;

/** One step that steers the guest. */
export interface PlannedStep {
  readonly step: ControlStep;
  /**
   * What is changed, in order. Absent: the guest's memory was not looked at
   * (the compiler does not read it), or cannot be: what an instance that is
   * yet to be made will have is where the guest then puts it.
   */
  readonly changes?: readonly Change[];
}

/** One thing done to the events on the host. */
export interface DecodePass {
  /** In one word: `pages`, `calls`, `filter`, `merge`. */
  readonly what: string;
  readonly text: string;
  /** Why the guest is not told to do it; empty where that makes no sense. */
  readonly reason: string;
}

/** How a trace's events are seen. */
export type Via =
  | "graph returns"
  | "graph calls"
  | "module calls"
  | "syscall events"
  | "events";

/** One trace with its sinks. */
export interface PlannedTrace {
  /** The traced functions or events as the user names them. */
  readonly title: string;
  /** When it ends: `5s`, `100 events`, `Ctrl-C`. */
  readonly until: string;
  /** How its events are seen; absent: all that the guest records. */
  readonly via?: Via;
  readonly passes: readonly DecodePass[];
  readonly sinks: readonly string[];
}

/** What a script, or a command line, comes to on one target. */
export interface Plan {
  readonly format: 1;
  readonly target: string;
  readonly kernel: string;
  /** The tracer that records, where it is of interest. */
  readonly tracer?: string;
  /** How entries are sealed: `none` on a stock guest. */
  readonly seal: string;
  readonly live: boolean;
  readonly traces: readonly PlannedTrace[];
  /** Carried out in order, undone in reverse. */
  readonly steps: readonly PlannedStep[];
  /** What the user should know, one sentence each. */
  readonly notes: readonly string[];
}

/** How a plan has the guest's module record. */
export interface ModuleSettings {
  readonly config: SealedConfig;
  /** Milliseconds between two keys of a CPU. */
  readonly rotateMs: number;
}

/** What a plan tells the guest's module; `undefined`: it is not used. */
export function moduleSettings({ steps }: Plan): ModuleSettings | undefined {
  let rotateMs = ROTATE_MS;
  let config: SealedConfig | undefined;
  for (const { step } of steps) {
    if (step.control === "module") config = step.config;
    if (step.control === "keys") rotateMs = step.everyMs;
  }
  return config === undefined ? undefined : { config, rotateMs };
}
