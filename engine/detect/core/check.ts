/**
 * What a check is, and what comes of it.
 *
 * @module
 */
import type { Finding, Report } from "../finding.ts";
import type { CheckContext } from "./context.ts";

/** One check. */
export interface Check {
  /** Stable: `XF001`. */
  readonly id: string;
  readonly title: string;
  /** ATT&CK technique id: `T1014`. */
  readonly technique: string;
  /**
   * Name of the architecture whose kernels it is about, such as `arm64`;
   * default: all.
   */
  readonly arch?: string;
  /** What an intruder does that this finds, and what it cannot see. */
  readonly help: string;
  /**
   * Reads and judges. It is run again when it finds something: a check keeps
   * nothing between runs.
   */
  run(context: CheckContext, report: Report): void;
}

/** What one check found in all of its runs. */
export interface CheckOutcome {
  readonly check: Check;
  readonly findings: readonly Finding[];
  readonly unjudged: readonly { readonly what: string; readonly why: string }[];
  readonly known: readonly string[];
  /** Differences that were gone when read again. */
  readonly inFlux: readonly Finding[];
  /** Why it was not run; `undefined` when it was. */
  readonly notRun: string | undefined;
  /** How many things were judged. */
  readonly judged: number;
  /** How long its first run took, in ms. */
  readonly ms: number;
}
