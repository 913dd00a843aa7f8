/**
 * The plan of everything that is changed in a guest, as data: the requested
 * steps, and the changes that each of them needs. `plan_text.ts` prints it,
 * `apply.ts` carries it out, and `undo.ts` undoes it.
 *
 * Values that only the guest can supply are marked as unknown. Wording is left
 * to the printer; a plan contains none.
 *
 * @module
 */
import type { SealedConfig } from "../seal/tracer/trace_config.ts";

/** Default interval between two keys of a CPU, in milliseconds. */
export const ROTATE_MS = 100;

/** One requested change of how the guest traces. */
export type ControlStep =
  | {
    /** Creates an Ftrace instance, which is removed at the end. */
    readonly control: "instance";
    readonly name: string;
  }
  | {
    /** Writes a tracefs file, through the module or the agent. */
    readonly control: "file";
    /** Path relative to tracefs: `trace_clock`. */
    readonly path: string;
  }
  | {
    /** Enables events while the trace runs. */
    readonly control: "enable";
    /** The events, as `system:name`. */
    readonly events: readonly string[];
  }
  | {
    /** Selects a stock tracer, through the module or the agent. */
    readonly control: "tracer";
    /** The tracer selected now. */
    readonly before: string;
    readonly tracer: string;
  }
  | {
    readonly control: "roots";
    /**
     * The current roots, with the short names of system calls: `sys_openat`;
     * empty: all functions.
     */
    readonly before: readonly string[];
    /** The new roots, named in the same way, in the order of their symbols. */
    readonly functions: readonly string[];
    /** GVAs of their symbols. */
    readonly addresses: readonly bigint[];
  }
  | {
    readonly control: "depth";
    /** The current limit; 0: none. */
    readonly before: number;
    readonly levels: number;
  }
  | {
    readonly control: "mute";
    /** The events that are not to be recorded, as `system:name`. */
    readonly events: readonly string[];
  }
  | {
    /** Stops the buffer of a CPU. */
    readonly control: "cpu";
    readonly cpu: number;
  }
  | { readonly control: "recording"; readonly on: boolean }
  | {
    /** Tells the module what to record, through commands in its mailbox. */
    readonly control: "module";
    /**
     * The functions whose calls are recorded, together with the calls below
     * them, with the short names of system calls; empty: all functions.
     */
    readonly roots: readonly string[];
    /** The functions recorded below a root, in addition to the roots. */
    readonly functions: readonly string[] | "all";
    /** Levels below a root, including the root; 0: all. */
    readonly levels: number;
    /** Whether the filter of `set_ftrace_filter` is used and thus emptied. */
    readonly sharedFilter: boolean;
    /** The configuration for the module. */
    readonly config: SealedConfig;
  }
  | {
    readonly control: "keys";
    /** Interval between two keys of a CPU, in milliseconds. */
    readonly everyMs: number;
  }
  | { readonly control: "enabled" };

/** A word that must hold a certain value, or else a change is pointless. */
export interface WordGuard {
  /** The variable or member: `ftrace_graph_hash`. */
  readonly where: string;
  /** GVA of the u64. */
  readonly gva: bigint;
  readonly value: bigint;
}

/** A word of guest memory to be written. */
export interface WordChange {
  readonly way: "word";
  /** What it controls, in tracefs terms: `tracing_on`. */
  readonly what: string;
  /** The variable or member that is written. */
  readonly where: string;
  /** GVA of the word. */
  readonly gva: bigint;
  /** Size of the word in bytes. */
  readonly width: 4 | 8;
  /** The bits that are changed; all bits for a plain value. */
  readonly mask: bigint;
  /** The word's masked value when the change was planned. */
  readonly before: bigint;
  /** The masked value to write. */
  readonly after: bigint;
  /**
   * The word is a counter (`record_disabled`) to which others add as well: the
   * difference `after - before` is added instead of setting `after`.
   */
  readonly counts?: boolean;
  /**
   * The word is written only if it holds `before`; any other value makes the
   * plan stale.
   */
  readonly exact?: boolean;
  /**
   * The words from which the word's address was derived: it is written, and
   * undone, only while they hold their values.
   */
  readonly guards?: readonly WordGuard[];
}

/** The content of a tracefs file, as far as it is known. */
export type FileContent =
  | {
    readonly known: true;
    /** The text that restores the content when written. */
    readonly text: string;
    /** Whether this is the size that the buffer will get on first use. */
    readonly whenUsed?: boolean;
  }
  /** Memory does not show it: the guest is asked before anything is written. */
  | { readonly known: false };

/** Who makes changes to tracefs, if not the guest's module. */
export type Carrier = "agent";

/** A tracefs file to be written by the guest's module or its agent. */
export interface FileChange {
  readonly way: "tracefs";
  /** Absent: by the guest's module. */
  readonly by?: Carrier;
  /** Path relative to tracefs: `instances/a/trace_clock`. */
  readonly path: string;
  /** The text to write. */
  readonly text: string;
  /** Whether the text is appended to the file's content. */
  readonly append: boolean;
  readonly before: FileContent;
  /**
   * A line that removes from the file exactly what was added (`!stacktrace` for
   * a trigger). Absent: the file is restored to `before`.
   */
  readonly remove?: string;
}

/** An Ftrace instance to be created by the guest's module or its agent. */
export interface InstanceChange {
  readonly way: "instance";
  /** Absent: by the guest's module. */
  readonly by?: Carrier;
  readonly name: string;
}

/** A command in the mailbox of the guest's module. */
export type ModuleCommand =
  | { readonly command: "reset" }
  | {
    readonly command: "configure";
    /** Number of root functions. */
    readonly roots: number;
    /** Number of recorded functions. */
    readonly functions: number | "all";
  };

/**
 * A word of the module's control page, changed according to the module's
 * protocol.
 */
export interface ModuleChange {
  readonly way: "module";
  /** The member: `xft_control.command_number`. */
  readonly where: string;
  readonly gva: bigint;
  readonly width: 4 | 8;
  readonly before: bigint;
  readonly after: bigint;
  /** The commands given through it. */
  readonly commands: readonly ModuleCommand[];
}

/** One change in the guest. */
export type Change = WordChange | FileChange | InstanceChange | ModuleChange;

/** A step together with its changes. */
export interface PlannedStep {
  readonly step: ControlStep;
  /**
   * The changes, in order. Absent when the guest's memory has not been read
   * (the compiler does not read it) or cannot be: the addresses in an instance
   * are not known before the instance exists.
   */
  readonly changes?: readonly Change[];
}

/** Something done to the events on the host. */
export interface DecodePass {
  /** Name, one word: `pages`, `calls`, `filter`, `merge`. */
  readonly what: string;
  readonly text: string;
  /** Why the guest does not do it; empty where the question does not arise. */
  readonly reason: string;
}

/** The source of a trace's events. */
export type Via =
  | "graph returns"
  | "graph calls"
  | "module calls"
  | "syscall events"
  | "events";

/** A trace with its sinks. */
export interface PlannedTrace {
  /** The traced functions or events as the user names them. */
  readonly title: string;
  /** When it ends: `5s`, `100 events`, `Ctrl-C`. */
  readonly until: string;
  /** The source of its events; absent: everything that the guest records. */
  readonly via?: Via;
  readonly passes: readonly DecodePass[];
  readonly sinks: readonly string[];
}

/** The plan of a script or command for one target. */
export interface Plan {
  readonly format: 1;
  readonly target: string;
  readonly kernel: string;
  /** The tracer that records, where relevant. */
  readonly tracer?: string;
  /** How entries are sealed: `none` on a stock guest. */
  readonly seal: string;
  readonly live: boolean;
  readonly traces: readonly PlannedTrace[];
  /** Steps, carried out in order and undone in reverse. */
  readonly steps: readonly PlannedStep[];
  /** Remarks for the user, one sentence each. */
  readonly notes: readonly string[];
}

/** The settings with which a plan makes the guest's module record. */
export interface ModuleSettings {
  readonly config: SealedConfig;
  /** Interval between two keys of a CPU, in milliseconds. */
  readonly rotateMs: number;
}

/**
 * A plan's settings for the guest's module; `undefined` when it does not use
 * the module.
 */
export function moduleSettings({ steps }: Plan): ModuleSettings | undefined {
  let rotateMs = ROTATE_MS;
  let config: SealedConfig | undefined;
  for (const { step } of steps) {
    if (step.control === "module") config = step.config;
    if (step.control === "keys") rotateMs = step.everyMs;
  }
  return config === undefined ? undefined : { config, rotateMs };
}
