/**
 * The input and the result of a run.
 *
 * @module
 */
import type { ControlTarget } from "../control/target.ts";
import type { TargetFacts } from "../query/facts.ts";
import type { SealedOutcome } from "./module_run.ts";

/** A target for which programs can be compiled and on which they can be run. */
export interface RunTarget extends ControlTarget {
  readonly facts: TargetFacts;
}

/** How a program is run. */
export interface RunOptions {
  /** Receives text as soon as it is produced: printed events. */
  readonly write: (text: string) => void;
  /** Receives the text of each window of `every`; default: `write`. */
  readonly window?: (text: string) => void;
  /** Ends the run, for instance on Ctrl-C. */
  readonly signal?: AbortSignal;
  /** Milliseconds between polls of a live guest's buffers; default 10. */
  readonly pollMs?: number;
  /**
   * Called when the guest has been configured and events are being followed.
   */
  readonly onStart?: () => void;
  /**
   * Called with what the guest's module is doing while it is being configured.
   */
  readonly onProgress?: (doing: string) => void;
  /** Called after each poll of a live guest. */
  readonly onPoll?: (run: RunProgress) => void;
}

/** The progress of a run. */
export interface RunProgress {
  /** Number of raw events read. */
  readonly read: number;
  /** The sinks' results as text, in the order of the queries. */
  texts(): string[];
}

/** The result of a run. */
export interface RunResult {
  /** The results of the queries, in order. */
  readonly results: readonly unknown[];
  /**
   * The results as text; empty for text that was written as it was produced.
   */
  readonly texts: readonly string[];
  /** Number of raw events read. */
  readonly read: number;
  /** Number of events that reached the sinks, by query. */
  readonly events: readonly number[];
  /** Number of events that the guest wrote but that could not be read. */
  readonly lost: number;
  /** Number of events that the guest itself overwrote or dropped. */
  readonly overwritten: number;
  /** Number of calls that had not returned at the end, by query. */
  readonly open: readonly number[];
  /** What the guest's module recorded, if it was used. */
  readonly sealed?: SealedOutcome;
  /** Why the run ended. */
  readonly ended: "until" | "signal" | "end of recording" | "guest gone";
  /** Problems that did not stop the run, one sentence each. */
  readonly warnings: readonly string[];
}
