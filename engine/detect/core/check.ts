/**
 * The interface of a check, and the result of running it.
 *
 * @module
 */
import type { Finding, Report } from "../finding.ts";
import type { CheckContext } from "./context.ts";

/** One check. */
export interface Check {
  /** Stable id: `XF001`. */
  readonly id: string;
  readonly title: string;
  /** ATT&CK technique id: `T1014`. */
  readonly technique: string;
  /**
   * The architecture whose kernels it applies to, such as `arm64`; default:
   * all.
   */
  readonly arch?: string;
  /** Whether it uses the registers of the processors; default: no. */
  readonly readsRegisters?: boolean;
  /** What intruder's action it finds, and what it cannot see. */
  readonly help: string;
  /**
   * Reads and judges. It is called again when it has found something, so it
   * must not keep state between calls.
   */
  run(context: CheckContext, report: Report): void;
}

/** The result of a check over all of its readings. */
export interface CheckOutcome {
  readonly check: Check;
  readonly findings: readonly Finding[];
  readonly unjudged: readonly { readonly what: string; readonly why: string }[];
  readonly known: readonly string[];
  /** Those of {@linkcode known} that people are always told; default: none. */
  readonly noted?: readonly string[];
  /** Findings that were gone when read again. */
  readonly inFlux: readonly Finding[];
  /** Why it was not run; `undefined` if it was. */
  readonly notRun: string | undefined;
  /** How many items were judged. */
  readonly judged: number;
  /** Duration of its first reading, in ms. */
  readonly ms: number;
}
