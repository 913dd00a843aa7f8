/**
 * Results of checks, for tests.
 *
 * @module
 */
import type { CheckRun } from "../../detect/core/runner.ts";
import type { Check, CheckOutcome } from "../../detect/core/check.ts";

/** The guest that is checked. */
export const GUEST = { target: "qemu:web1", release: "6.1.0", buildId: "ab" };

/** A check with the given id. */
export const check = (id: string): Check => ({
  id,
  title: `check ${id}`,
  technique: "T1014",
  help: "finds things",
  run: () => {},
});

/** A check that found nothing. */
export const quiet = (id: string): CheckOutcome => ({
  check: check(id),
  findings: [],
  unjudged: [],
  known: [],
  inFlux: [],
  notRun: undefined,
  judged: 12345,
  ms: 1,
});

/** A check that found a hook. */
export const HOOKED: CheckOutcome = {
  ...quiet("XF001"),
  findings: [{
    check: "XF001",
    severity: "critical",
    summary: "sys_call_table[257] leads to evil [rk], a module",
    where: "sys_call_table[257]",
    address: 0xffffffff82000b68n,
    expected: "__x64_sys_openat",
    found: "evil [rk]",
    target: 0xffffffffc0001000n,
    module: "rk",
  }],
};
/** A check that could not judge everything. */
export const UNSEEN: CheckOutcome = {
  ...quiet("XF002"),
  unjudged: [{ what: "x64_sys_call", why: "not mapped" }],
};
/** A check that was not run. */
export const IDLE: CheckOutcome = { ...quiet("XF020"), notRun: "no image" };

/** A run of checks. */
export const run = (...outcomes: CheckOutcome[]): CheckRun => ({
  outcomes,
  ms: 1500,
  root: {
    verified: true,
    cpus: 2,
    from: "QEMU's monitor",
    why: undefined,
  },
  rootRequired: false,
});
