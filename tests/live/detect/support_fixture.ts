/**
 * Helpers for tests of the checks: building fixtures for a kernel, and running
 * checks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { selectChecks } from "../../../engine/detect/checks.ts";
import type { CheckOptions } from "../../../engine/detect/core/context.ts";
import {
  type CheckRun,
  runChecks,
} from "../../../engine/detect/core/runner.ts";
import type { Finding } from "../../../engine/detect/finding.ts";
import type { Kernel } from "../../../engine/kernel/core/kernel.ts";
import { findKernel } from "../../../lab/packages/kernel.ts";
import { buildModules } from "../build_fixture.ts";
import type { Guest } from "../support_fixture.ts";

/**
 * Builds the fixtures for a kernel series, unless they have been built from the
 * same sources before.
 *
 * @returns the folder that holds `det_*.ko`, `bpf_load` and `clock_gaps`
 */
export async function buildFixtures(series: string): Promise<string> {
  return await buildModules("detect", series, ["bpf_load", "clock_gaps"]);
}

/** The vmlinuz that the lab boots for a kernel series. */
export async function vmlinuzOf(series: string): Promise<string> {
  return (await findKernel(series, "amd64", () => {})).vmlinuz;
}

/** Runs checks by id, or all checks if none are named. */
export async function check(
  kernel: Kernel,
  ids: readonly string[] = [],
  options: CheckOptions = {},
): Promise<CheckRun> {
  return await runChecks(kernel, selectChecks(ids), options);
}

/** All findings of a run. */
export function findingsOf(run: CheckRun): Finding[] {
  return run.outcomes.flatMap(({ findings }) => findings);
}

/**
 * Asserts that there are no findings, and that everything was judged. The error
 * contains the evidence.
 */
export function assertClean(run: CheckRun): void {
  assert.deepEqual(
    findingsOf(run).map((
      { check, summary, where, address, expected, found },
    ) =>
      `${check} ${summary} (${where} at 0x${
        address.toString(16)
      }, expected ${expected}, found ${found})`
    ),
    [],
  );
  assert.deepEqual(
    run.outcomes.flatMap(({ check, unjudged }) =>
      unjudged.map(({ what, why }) => `${check.id} ${what}: ${why}`)
    ),
    [],
  );
}

/**
 * Runs a part of a test. If it fails, and the guest has crashed or its kernel
 * has oopsed, the error says that first, with the guest's last messages, since
 * the failure then says nothing about the checks.
 */
export async function blameGuest<T>(
  guest: Guest,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const log = guest.serialLog();
    const bad = /BUG:|Oops:|general protection|Kernel panic|rcu.*stall/m
      .test(log);
    if (guest.running && !bad) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the guest ${
        guest.running ? "oopsed" : "died"
      }, which is no finding of a check; its last words:\n${
        log.split("\n").slice(-60).join("\n")
      }\nwhat failed then: ${said}`,
      { cause: error },
    );
  }
}
