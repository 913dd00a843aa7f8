/**
 * What a check reports: findings, and what it could not judge.
 *
 * @module
 */

/** How serious a finding is. */
export type Severity = "critical" | "high" | "medium" | "low";

/** All severities, the worst first. */
export const SEVERITIES: readonly Severity[] = [
  "critical",
  "high",
  "medium",
  "low",
];

/** Something that should not be so, with the evidence. */
export interface Finding {
  /** The check that found it: `XF001`. */
  readonly check: string;
  readonly severity: Severity;
  /** One sentence: what is wrong. */
  readonly summary: string;
  /** The place that was examined: `sys_call_table[257]`. */
  readonly where: string;
  /** GVA of the place. */
  readonly address: bigint;
  /** What should be there: a symbol, or bytes in hex. */
  readonly expected?: string;
  /** What is there. Together with the place, it identifies the finding. */
  readonly found?: string;
  /**
   * Whether `found` changes by itself from one reading to the next, as a count
   * does. It does not identify the finding then.
   */
  readonly varies?: boolean;
  /**
   * Whether it was over when it was looked at again at once, in the same
   * reading: things that begin or end are. Such a finding counts only when
   * another reading shows the very same thing.
   */
  readonly brief?: boolean;
  /** GVA of the code that is reached, for findings about code. */
  readonly target?: bigint;
  /** The module it belongs to, if it is known. */
  readonly module?: string;
  /** What to do if this is intended. */
  readonly hint?: string;
}

/** How a check reports its results. */
export interface Report {
  /** Something that should not be so. */
  finding(finding: Omit<Finding, "check">): void;
  /** Something that could not be judged, and why. It never counts as clean. */
  unjudged(what: string, why: string): void;
  /**
   * Like {@linkcode unjudged}, for a reason that may pass: it is read again
   * until it can be judged, and stays unjudged when that takes too long.
   */
  passing(what: string, why: string): void;
  /**
   * Something that was unloaded after it was listed, so that it cannot be in
   * use any more. It is listed as in flux, and everything is read again; what
   * is unloaded during each reading is unjudged.
   */
  gone(finding: Omit<Finding, "check">): void;
  /**
   * Something legitimate that is worth a line.
   *
   * @param of.always whether people are told even without `--details`, since the
   * verdict rests on it; default: no
   */
  known(text: string, of?: { readonly always?: boolean }): void;
  /** The check lacks an input; the result does not count as clean either. */
  notRun(why: string): void;
  /** Adds to the number of items that were judged. */
  judged(count: number): void;
  /**
   * Runs one part of a check. When memory cannot be read or is damaged, that
   * part is unjudged and the rest continues.
   */
  part(what: string, body: () => void): void;
}

/**
 * The identity of a finding: equal for the same thing seen again.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { runChecks, sameThing, selectChecks } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { outcomes } = await runChecks(
 *   guest.session.kernel,
 *   selectChecks(["XF002"]),
 * );
 * const seen = new Set(outcomes[0].findings.map(sameThing));
 * console.log(seen.size);
 * ```
 */
export function sameThing(finding: Finding): string {
  const { check, where, address, target, found, varies = false } = finding;
  return [check, where, address, target ?? "", varies ? "" : found ?? ""]
    .join("|");
}

/** The identity of a finding's place, whatever was found there. */
export function samePlace({ check, where, address }: Finding): string {
  return [check, where, address].join("|");
}
