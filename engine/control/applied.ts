/**
 * A record of the changes that were carried out, as data that can be stored on
 * disk: what undoing them needs, and the outcome of the undo.
 *
 * @module
 */
import type { FileChange, InstanceChange, WordChange } from "./plan.ts";

/** A word that was written, or is about to be written. */
export interface AppliedWord {
  readonly way: "word";
  readonly change: WordChange;
  /** The masked value that was there just before the write. */
  readonly found: bigint;
  /** The write was about to happen; whether it did is unknown. */
  readonly pending?: boolean;
}

/** A tracefs file that was written, or is about to be written. */
export interface AppliedFile {
  readonly way: "tracefs";
  readonly change: FileChange;
  /**
   * The file's content after all writes, in the form that `tracefs_state.ts`
   * compares; absent when unknown, because writing was not completed.
   */
  readonly left?: string;
}

/** An Ftrace instance that was created, or is about to be created. */
export interface AppliedInstance {
  readonly way: "instance";
  readonly change: InstanceChange;
}

/** A change that was carried out, or is about to be carried out. */
export type Applied = AppliedWord | AppliedFile | AppliedInstance;

/** A change that was not undone. */
export interface Left<A extends Applied = Applied> {
  readonly applied: A;
  /**
   * `changed`: the guest has set another value since, which is kept on purpose;
   * `moved`: the changed place is no longer in use; `in use`: the instance
   * holds somebody else's settings; `failed`: the undo failed; `no module`: the
   * module that would undo it is no longer loaded.
   */
  readonly why: "changed" | "moved" | "in use" | "failed" | "no module";
  /** For `changed`: the current value, for display. */
  readonly holds?: string;
  /** The value that the change had left there, for display. */
  readonly left?: string;
  /** For `failed` and `moved`: the reason, in a sentence. */
  readonly reason?: string;
}
