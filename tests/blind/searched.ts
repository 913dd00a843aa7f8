/**
 * What is searched, how far, and what was found.
 *
 * @module
 */
import type { Hook } from "./hooks.ts";
import type { Mutation } from "./mutations.ts";

/** A word that blinds a check. */
export interface Blinding {
  readonly check: string;
  /** Where the word is, and who reads it. */
  readonly word: string;
  readonly gpa: number;
  readonly mutation: Mutation;
  readonly before: bigint;
}

/** Words of one kind: how many there are, and were tried. */
export interface Tried {
  readonly words: number;
  readonly tried: number;
}

/** What was tried on one hook. */
export interface Searched {
  readonly hook: Hook;
  /**
   * Words that the check reads one by one before it finds the hook, without the
   * hook's own, page tables, and what every check reads.
   */
  readonly alone: Tried;
  /** The same of words that it reads along with others. */
  readonly bulk: Tried;
  /** Words that it reads only afterwards, which cannot take the finding back. */
  readonly after: number;
  readonly mutations: number;
  /** How often the check was run for them. */
  readonly runs: number;
  readonly blinding: readonly Blinding[];
  /** Runs that ended with an error of the program, or had to be stopped. */
  readonly faults: readonly string[];
}

/** How long and how far to search. */
export interface Limits {
  readonly seed: number;
  /** Words at most, of those read along with many others. */
  readonly bulk: number;
  /** When to stop, as `performance.now()` counts. */
  readonly until: number;
  /** Changes of each word at most. */
  readonly changes: number;
  /** Words at most, of those read one by one; default: all of them. */
  readonly alone?: number;
  /**
   * Words that are read alone, and others, to change at once at most; default:
   * `TOGETHER`.
   */
  readonly together?: readonly [alone: number, bulk: number];
}
