/**
 * Compares a call flow with a baseline's.
 *
 * @module
 */
import { type CallFlow, ROOT } from "./call_flow.ts";

/** A call that one flow has and the other lacks. */
export interface FlowDifference {
  readonly kind: "new" | "rare" | "missing";
  readonly caller: string;
  readonly callee: string;
  /** How often it was seen: now, or in the baseline. */
  readonly calls: number;
}

/** Calls of the caller that a baseline must have before it says "always". */
const ENOUGH = 20;
/** Calls of the caller that must be seen now before "never" means anything. */
const ENOUGH_NOW = 5;

/** How often XF021 and XF022 may be wrong by chance, for each thing judged. */
export const FALSE_POSITIVE_RATE = 1e-6;

/**
 * Calls never seen in the baseline, from callers that it knows well; and
 * callees that belong to every call of the baseline and to none now.
 *
 * Kernel functions have ways that are taken rarely, and no baseline has seen
 * all of them: of its next calls, as many take one that is new as calls of
 * the baseline took one that no other call took (Good and Turing's estimate).
 * A call that is new is `rare` as long as that explains it, with a chance of
 * more than {@linkcode FALSE_POSITIVE_RATE}, and else `new`.
 */
export function flowDifferences(
  baseline: CallFlow,
  now: CallFlow,
): FlowDifference[] {
  const found: FlowDifference[] = [];
  for (const [caller, { calls, callees }] of now) {
    const known = baseline.get(caller);
    if (known === undefined) continue;
    const isRoot = caller === ROOT;
    const before = isRoot ? totalOf(known.callees) : known.calls;
    if (before < ENOUGH) continue;
    const times = isRoot ? totalOf(callees) : calls;
    let once = 0;
    for (const { within } of known.callees.values()) if (within === 1) once++;
    const chance = Math.min(0.5, (once + 1) / (before + 1));
    for (const [callee, { total, within }] of callees) {
      if (known.callees.has(callee)) continue;
      const rare = tail(Math.max(times, within), within, chance) >
        FALSE_POSITIVE_RATE;
      found.push({ kind: rare ? "rare" : "new", caller, callee, calls: total });
    }
    if (isRoot || calls < ENOUGH_NOW) continue;
    for (const [callee, { total, within }] of known.callees) {
      if (within < known.calls || callees.has(callee)) continue;
      found.push({ kind: "missing", caller, callee, calls: total });
    }
  }
  return found;
}

function totalOf(callees: ReadonlyMap<string, { total: number }>): number {
  let sum = 0;
  for (const { total } of callees.values()) sum += total;
  return sum;
}

/** A root whose calls are not as large as the baseline's. */
export interface SizeDifference {
  readonly root: string;
  /** Functions within a call of the baseline: least and most. */
  readonly range: readonly [number, number];
  /** Calls now, and how many of them lie outside of the range. */
  readonly calls: number;
  readonly outside: number;
  /** Share of the calls that may lie outside by chance. */
  readonly expected: number;
}

const ENOUGH_SIZES = 50;

/**
 * Roots whose calls run more or fewer functions than any of the baseline's
 * did (NumChecker's idea). Of calls like the baseline's n, each lies outside
 * of its range with a chance of 2/(n+1); so many do now that chance explains
 * it less often than {@linkcode FALSE_POSITIVE_RATE}.
 */
export function sizeDifferences(
  baseline: CallFlow,
  now: CallFlow,
): SizeDifference[] {
  const found: SizeDifference[] = [];
  for (const [root, { sizes }] of now) {
    const known = baseline.get(root)?.sizes;
    if (known === undefined || sizes.size === 0) continue;
    const n = sum(known.values());
    if (n < ENOUGH_SIZES) continue;
    const range = [
      Math.min(...known.keys()),
      Math.max(...known.keys()),
    ] as const;
    const calls = sum(sizes.values());
    let outside = 0;
    for (const [size, times] of sizes) {
      if (size < range[0] || size > range[1]) outside += times;
    }
    const expected = 2 / (n + 1);
    if (outside === 0 || tail(calls, outside, expected) > FALSE_POSITIVE_RATE) {
      continue;
    }
    found.push({ root, range, calls, outside, expected });
  }
  return found;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Chance of `k` or more of `n`, each with chance `p`: the binomial's tail. */
function tail(n: number, k: number, p: number): number {
  let log = 0;
  for (let i = 0; i < k; i++) log += Math.log((n - i) / (i + 1));
  log += k * Math.log(p) + (n - k) * Math.log1p(-p);
  let term = Math.exp(log);
  let total = 0;
  for (let i = k; i <= n && term > 0; i++) {
    total += term;
    if (term < total * 1e-12) break;
    term *= (n - i) / (i + 1) * p / (1 - p);
  }
  return total;
}
