/**
 * The verdicts on the positions of a trace, and how often each was given.
 *
 * @module
 */

/**
 * The possible verdicts on a position.
 *
 * @example
 * ```ts
 * import { VERDICTS } from "xftrace/seal";
 *
 * console.log(VERDICTS.join(", "));
 * ```
 */
export const VERDICTS = [
  "verified",
  "forged",
  "missing",
  "replayed",
  "reordered",
  "early",
  "late",
  "lost",
] as const;

/**
 * - `verified`: present, and sealed with the key for its position.
 * - `forged`: something is there that was not sealed with any key of the host.
 * - `missing`: nothing is there, or the sequence ends too soon.
 * - `replayed`: a copy of an entry that is also at its own position.
 * - `reordered`: an entry from another position, where it is missing.
 * - `early`, `late`: sealed with the key of a later epoch, or of one that had
 *   already ended.
 * - `lost`: overwritten by newer entries before it was read; not tampering.
 */
export type Verdict = typeof VERDICTS[number];

/** The number of positions with each verdict. */
export type VerdictCounts = Record<Verdict, number>;

/** Counts that are all zero. */
export function noCounts(): VerdictCounts {
  return {
    verified: 0,
    forged: 0,
    missing: 0,
    replayed: 0,
    reordered: 0,
    early: 0,
    late: 0,
    lost: 0,
  };
}

/** Adds counts to others. */
export function addCounts(to: VerdictCounts, counts: VerdictCounts): void {
  for (const verdict of VERDICTS) to[verdict] += counts[verdict];
}
