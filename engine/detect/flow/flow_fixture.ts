/**
 * Small call flows, for tests.
 *
 * @module
 */
import { type CallFlow, ROOT } from "./call_flow.ts";

/** Builds a flow in which each `caller: callees` was called `calls` times. */
export function flow(
  calls: number,
  tree: Record<string, string[]>,
  size = 3,
): CallFlow {
  const found: CallFlow = new Map();
  for (const [caller, callees] of Object.entries(tree)) {
    found.set(caller, {
      calls: caller === ROOT ? 0 : calls,
      callees: new Map(
        callees.map((callee) => [callee, { total: calls, within: calls }]),
      ),
      sizes: caller === "sys" ? new Map([[size, calls]]) : new Map(),
    });
  }
  return found;
}

/** An unmodified system call. */
export const GOOD = {
  [ROOT]: ["sys"],
  sys: ["open"],
  open: ["walk"],
  walk: [],
};
/** The same call with a hook in between. */
export const HOOKED = {
  [ROOT]: ["sys"],
  sys: ["evil"],
  evil: ["open"],
  open: ["walk"],
  walk: [],
};
