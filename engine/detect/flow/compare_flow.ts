/**
 * Compares a call flow with a baseline.
 *
 * @module
 */
import { type CallFlow, ROOT } from "./call_flow.ts";

/** A call that one flow contains and the other lacks. */
export interface FlowDifference {
  readonly kind: "new" | "rare" | "missing";
  readonly caller: string;
  readonly callee: string;
  /** How often it was seen, now or in the baseline. */
  readonly calls: number;
}

/**
 * How many calls of the caller the baseline needs before a call in all of them
 * counts as "always".
 */
const ENOUGH = 20;
/**
 * How many calls of the caller must be seen now before "never" means anything.
 */
const ENOUGH_NOW = 5;

/**
 * Accepted probability that XF021 or XF022 is wrong by chance, for each item
 * judged.
 */
export const FALSE_POSITIVE_RATE = 1e-6;

/**
 * Finds calls that the baseline does not contain, from callers that it knows
 * well, and callees that occur in every call in the baseline but in none now.
 *
 * Kernel functions have paths that are taken rarely, and no baseline has seen
 * all of them. The Good-Turing estimate says how many new paths to expect: the
 * share of further calls on a path not seen before equals the share of the
 * baseline's calls whose path occurred only once. A new call is `rare` while
 * this explains it with a probability above {@linkcode FALSE_POSITIVE_RATE},
 * otherwise `new`.
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

/** A root whose calls differ in size from those in the baseline. */
export interface SizeDifference {
  readonly root: string;
  /**
   * The lowest and highest number of functions within a call in the baseline.
   */
  readonly range: readonly [number, number];
  /** The number of calls now, and how many of them are outside the range. */
  readonly calls: number;
  readonly outside: number;
  /** Share of calls that may be outside by chance. */
  readonly expected: number;
}

const ENOUGH_SIZES = 50;

/**
 * Finds roots whose calls run more or fewer functions than any call in the
 * baseline (the idea of NumChecker). If the baseline has n calls of the same
 * kind, a further call is outside their range with probability 2/(n+1); a root
 * is reported when chance explains so many calls outside it with a probability
 * below {@linkcode FALSE_POSITIVE_RATE}.
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
    let range: readonly [number, number] = [Infinity, -Infinity];
    for (const size of known.keys()) {
      range = [Math.min(range[0], size), Math.max(range[1], size)];
    }
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

/**
 * Probability of `k` or more successes out of `n`, each with probability `p`:
 * the tail of the binomial distribution.
 */
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
