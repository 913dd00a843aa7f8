/**
 * What was carried out of a plan, as data: what taking it back needs, and what
 * became of that. It can be kept on disk.
 *
 * @module
 */
import type { FileChange, InstanceChange, WordChange } from "./plan.ts";

/** A word that was written, or is about to be. */
export interface AppliedWord {
  readonly way: "word";
  readonly change: WordChange;
  /** The masked value that was there just before. */
  readonly found: bigint;
  /** It is about to be written: nobody knows whether it was. */
  readonly pending?: boolean;
}

/** A file of tracefs that was written, or is about to be. */
export interface AppliedFile {
  readonly way: "tracefs";
  readonly change: FileChange;
  /**
   * What the file said when all was written, as `tracefs_state.ts` compares
   * it; absent: that is not known, since it was not written to the end.
   */
  readonly left?: string;
}

/** An instance of Ftrace that was made, or is about to be. */
export interface AppliedInstance {
  readonly way: "instance";
  readonly change: InstanceChange;
}

/** One change that was carried out, or is about to be. */
export type Applied = AppliedWord | AppliedFile | AppliedInstance;

/** A change that was not taken back. */
export interface Left<A extends Applied = Applied> {
  readonly applied: A;
  /**
   * `changed`: the guest has set it since, so it is left on purpose;
   * `moved`: what was changed is no longer in use;
   * `in use`: an instance that somebody else's settings are in;
   * `failed`: it could not be done;
   * `no module`: who could do it is no longer loaded.
   */
  readonly why: "changed" | "moved" | "in use" | "failed" | "no module";
  /** Of what the guest has changed: the value that is there, for people. */
  readonly holds?: string;
  /** The value that was left there. */
  readonly left?: string;
  /** Of what failed or moved: why, in a sentence. */
  readonly reason?: string;
}
