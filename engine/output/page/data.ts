/**
 * What a page is about, as the JSON that it contains besides rows of events.
 *
 * Written by the format `html` and by commands with `--html`, and read by their
 * page.
 *
 * @module
 */

/** Everything on a page. */
export interface PageData {
  /** The heading: `Trace of qemu:web1`. */
  readonly title: string;
  /** The program that wrote it: `xftrace 0.3.0`. */
  readonly by: string;
  /** What to know first: pairs of a name and a text. */
  readonly facts: readonly (readonly [name: string, text: string])[];
  /** The verdict, if the page is about one. */
  readonly verdict?: PageVerdict;
  /** Tables, such as findings. */
  readonly tables?: readonly PageTable[];
  readonly trace?: PageTrace;
}

/** A verdict in a word, and what it means. */
export interface PageVerdict {
  readonly kind: "good" | "bad" | "unknown";
  readonly text: string;
}

/** A table that is shown as it is. */
export interface PageTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Rows that are bad. */
  readonly bad?: readonly number[];
  /** What to say instead, if it has no rows. */
  readonly none?: string;
}

/** A trace. Lists with the same index belong together. */
export interface PageTrace {
  readonly guests: readonly PageGuest[];
  /** What times count: ns, or ticks of the guest's trace clock. */
  readonly unit: "ns" | "ticks";
  /** Time of the first event, as decimal digits. */
  readonly start: string;
  /** Time from the first event to the last. */
  readonly length: number;
  readonly events: number;
  readonly lost: number;
  readonly dropped: number;
  /** Rows of events that the page has; the others are only counted. */
  readonly rows: number;
  readonly threads: PageThreads;
  /** Names of functions and events. */
  readonly names: readonly string[];
  /** For each name: the system call that it enters (+) or leaves (-), or "". */
  readonly calls: readonly string[];
  readonly functions: PageTimes;
  readonly syscalls: PageTimes;
  readonly tree: PageTree;
  readonly foreign: readonly PageForeign[];
  readonly processes: readonly PageSyscalls[];
  /** Number of events in consecutive spans of time. */
  readonly density: { readonly width: number; readonly counts: number[] };
  /** What is left out because it would be too much, as sentences. */
  readonly leftOut: readonly string[];
}

/** A guest of a trace. */
export interface PageGuest {
  readonly target: string;
  readonly release: string;
  readonly tracer: string;
  readonly cpus: number;
  /** How often events are missing. */
  readonly gaps: number;
  /** How many are missing there, as far as that is known. */
  readonly missing: number;
}

/** Threads. Those without a pid are idle threads, or all others (cpu -1). */
export interface PageThreads {
  readonly pid: readonly number[];
  /** The process; 0 if it is not known. */
  readonly tgid: readonly number[];
  readonly cpu: readonly number[];
  readonly guest: readonly number[];
  readonly name: readonly string[];
  readonly events: readonly number[];
}

/** Durations of functions or system calls, in ns. */
export interface PageTimes {
  /** Index of the name. */
  readonly name: readonly number[];
  readonly calls: readonly number[];
  /** Calls within calls of the same function are not counted twice. */
  readonly total: readonly number[];
  /** Without the time of the calls that it made; empty for system calls. */
  readonly self: readonly number[];
  readonly min: readonly number[];
  readonly max: readonly number[];
  /** `bucket, count ...` of each: histogram.ts. */
  readonly histogram: readonly (readonly number[])[];
}

/** Call stacks: each node is a function called by the one above it. */
export interface PageTree {
  /** The node above; a root is -1 less the index of its thread. */
  readonly parent: readonly number[];
  readonly name: readonly number[];
  readonly calls: readonly number[];
  /** ns, with the calls that it made. */
  readonly total: readonly number[];
  readonly self: readonly number[];
}

/** Calls of, or from, what is not the kernel's own code. */
export interface PageForeign {
  /** The node in the tree. */
  readonly node: number;
  /** What called it: the recorded caller, or the function above. */
  readonly caller: string;
  readonly why: string;
  readonly calls: number;
}

/** A process's use of a system call. */
export interface PageSyscalls {
  /** The thread that is shown for the process. */
  readonly thread: number;
  readonly name: number;
  readonly calls: number;
  /** ns in calls whose end was seen. */
  readonly total: number;
  readonly max: number;
  /** Error numbers and how often: `2, 14, 11, 3`. */
  readonly errors: readonly number[];
  /** Arguments, as JSON, and how often; the most frequent first. */
  readonly args: readonly (readonly [args: string, count: number])[];
}
