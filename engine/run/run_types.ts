/**
 * What a run is given, and what it comes to.
 *
 * @module
 */
import type { ControlTarget } from "../control/target.ts";
import type { TargetFacts } from "../query/facts.ts";
import type { SealedOutcome } from "./module_run.ts";

/** A target that programs can be compiled for and run on. */
export interface RunTarget extends ControlTarget {
  readonly facts: TargetFacts;
}

/** How a program is run. */
export interface RunOptions {
  /** Takes text as it comes: printed events. */
  readonly write: (text: string) => void;
  /** Takes the text of each window of `every`; default: `write`. */
  readonly window?: (text: string) => void;
  /** Ends the run: Ctrl-C. */
  readonly signal?: AbortSignal;
  /** Milliseconds between looks at a live guest's buffers; default 10. */
  readonly pollMs?: number;
  /** Called when the control writes are done and events are being followed. */
  readonly onStart?: () => void;
  /** Called with what the guest's module does while it is told. */
  readonly onProgress?: (doing: string) => void;
  /** Called after each look at a live guest. */
  readonly onPoll?: (run: RunProgress) => void;
}

/** What a run has come to so far. */
export interface RunProgress {
  /** Raw events read. */
  readonly read: number;
  /** The sinks' results as text, in the order of the queries. */
  texts(): string[];
}

/** What a run came to. */
export interface RunResult {
  /** Results of the queries, in their order. */
  readonly results: readonly unknown[];
  /** The same as text; empty where it was written as it came. */
  readonly texts: readonly string[];
  /** Raw events read. */
  readonly read: number;
  /** Events that reached the sinks, by query. */
  readonly events: readonly number[];
  /** Events the guest wrote that could not be read. */
  readonly lost: number;
  /** Events the guest overwrote or dropped by itself. */
  readonly overwritten: number;
  /** Calls that had not returned at the end, by query. */
  readonly open: readonly number[];
  /** What the guest's module recorded, when it did. */
  readonly sealed?: SealedOutcome;
  /** Why it ended. */
  readonly ended: "until" | "signal" | "end of recording" | "guest gone";
  /** What went wrong without stopping the run, one sentence each. */
  readonly warnings: readonly string[];
}
