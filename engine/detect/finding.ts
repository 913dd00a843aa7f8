/**
 * What a check says: findings, and what it could not judge.
 *
 * @module
 */

/** How bad a finding is. */
export type Severity = "critical" | "high" | "medium" | "low";

/** Severities, worst first. */
export const SEVERITIES: readonly Severity[] = [
  "critical",
  "high",
  "medium",
  "low",
];

/** Something that should not be so, with what shows it. */
export interface Finding {
  /** The check that found it: `XF001`. */
  readonly check: string;
  readonly severity: Severity;
  /** One sentence: what is wrong. */
  readonly summary: string;
  /** What was looked at, by name: `sys_call_table[257]`. */
  readonly where: string;
  /** GVA of what is wrong. */
  readonly address: bigint;
  /** What should stand there: a symbol, or bytes in hex. */
  readonly expected?: string;
  /** What stands there. */
  readonly found?: string;
  /** GVA of the code that is reached, when it is about code. */
  readonly target?: bigint;
  /** The module it belongs to, when one is known. */
  readonly module?: string;
  /** What to do when it is meant to be so. */
  readonly hint?: string;
}

/** What a check may say beside findings. */
export interface Report {
  /** Something that should not be so. */
  finding(finding: Omit<Finding, "check">): void;
  /** Something that could not be judged, and why. Never counts as clean. */
  unjudged(what: string, why: string): void;
  /** Something worth a line that is as it may be. */
  known(text: string): void;
  /** This check needs something that was not given; it is not clean either. */
  notRun(why: string): void;
  /** That many things were looked at and judged. */
  judged(count: number): void;
  /**
   * Runs one part of a check; when memory cannot be read or is damaged, that
   * part is unjudged and the rest goes on.
   */
  part(what: string, body: () => void): void;
}

/** A finding's identity: the same thing seen again. */
export function sameThing(finding: Finding): string {
  const { check, where, address, target, found } = finding;
  return [check, where, address, target ?? "", found ?? ""].join("|");
}

/** The place of a finding, whatever is found there. */
export function samePlace({ check, where, address }: Finding): string {
  return [check, where, address].join("|");
}
