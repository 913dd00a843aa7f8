/**
 * What a target of the fuzzer is: a parser, inputs that it accepts, and how
 * such inputs are changed by somebody who knows their format.
 *
 * @module
 */
import type { Random } from "../random.ts";

/** The files or texts that one run reads; most parsers read one. */
export type Input = Uint8Array<ArrayBuffer>[];

/** A parser to fuzz. */
export interface Target {
  readonly name: string;
  /**
   * Makes ready what all runs need.
   *
   * @param folder an empty one, for files that a parser wants to open
   */
  open(folder: string): OpenTarget;
}

/** A parser that is ready to be fuzzed. */
export interface OpenTarget {
  /** Inputs that the parser accepts. */
  readonly seeds: readonly Input[];
  /** Changes a copy of a seed as the format's enemy would. */
  mutate(input: Input, random: Random): void;
  /** What replaces the change of single bytes, where these mean little. */
  mutateBytes?(input: Input, random: Random): void;
  /**
   * Makes checksums and containers right again after a change; called for some
   * inputs, so that changes behind a checksum are seen as well.
   */
  repair?(input: Input, random: Random): void;
  /** Parses, and asks for all that was parsed. */
  run(input: Input): void | Promise<void>;
}
