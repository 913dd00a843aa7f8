/**
 * The results of checks as JSON.
 *
 * @module
 */
import { shown, shownMembers } from "../../base/shown.ts";
import type { CheckRun } from "../../detect/core/runner.ts";
import type { Finding, Severity } from "../../detect/finding.ts";
import type { CheckOutcome } from "../../detect/core/check.ts";

/** The verdict on a guest after its checks. */
export type CheckVerdict = "clean" | "findings" | "unjudged";

/** A finding as JSON; addresses are hex strings. */
export interface FindingJson {
  readonly check: string;
  readonly title: string;
  readonly technique: string;
  readonly severity: Severity;
  readonly summary: string;
  readonly where: string;
  /** GVA. */
  readonly address: string;
  readonly expected?: string;
  readonly found?: string;
  /** GVA of the code that would be reached. */
  readonly target?: string;
  readonly module?: string;
  /** What to do if this is intended. */
  readonly hint?: string;
}

/** Whether the root of what was read is verified, as JSON. */
export interface RootJson {
  readonly verified: boolean;
  /** How many vCPUs run the kernel that was read. */
  readonly cpus: number;
  /** Where their registers come from; null when nobody tells them. */
  readonly from: string | null;
  /** Why it is not verified; null if it is. */
  readonly why: string | null;
  /** Whether `--require-root` was given. */
  readonly required: boolean;
}

/** A run of checks as JSON. */
export interface CheckRunJson {
  readonly target: string;
  readonly release: string;
  readonly buildId: string | null;
  readonly verdict: CheckVerdict;
  /** Whether the processors run the kernel that was read. */
  readonly root: RootJson;
  /** Duration including pauses, in ms. */
  readonly ms: number;
  readonly findings: readonly FindingJson[];
  readonly unjudged: readonly {
    readonly check: string;
    readonly what: string;
    readonly why: string;
  }[];
  /** Findings that were gone when memory was read again. */
  readonly inFlux: readonly FindingJson[];
  readonly checks: readonly {
    readonly id: string;
    readonly title: string;
    readonly technique: string;
    /** Why it was not run; null if it was. */
    readonly notRun: string | null;
    /** Number of things that were judged. */
    readonly judged: number;
    readonly ms: number;
    /** Deviations that are known to be harmless, described in words. */
    readonly known: readonly string[];
    /** Those of them on which the verdict rests, so that people are always told. */
    readonly noted: readonly string[];
  }[];
}

/** The guest that was checked. */
export interface CheckedGuest {
  /** As the user names it: `qemu:web1`. */
  readonly target: string;
  readonly release: string;
  readonly buildId: string | undefined;
}

/**
 * Findings take precedence over what could not be judged, which takes
 * precedence over a clean result. When no check was run, or the root had to be
 * verified and is not, not everything was judged.
 */
export function verdictOf(run: CheckRun): CheckVerdict {
  if (run.outcomes.some(({ findings }) => findings.length > 0)) {
    return "findings";
  }
  const { outcomes, root, rootRequired } = run;
  return rootRequired && !root.verified ||
      outcomes.some(({ unjudged }) => unjudged.length > 0) ||
      outcomes.every(({ notRun }) => notRun !== undefined)
    ? "unjudged"
    : "clean";
}

/** A GVA as 16 hex digits. */
export function gvaText(gva: bigint): string {
  return `0x${gva.toString(16).padStart(16, "0")}`;
}

function findingJson({ check }: CheckOutcome, finding: Finding): FindingJson {
  const { target, address, varies: _, ...rest } = finding;
  return {
    ...shownMembers(rest),
    title: check.title,
    technique: check.technique,
    address: gvaText(address),
    ...(target === undefined ? {} : { target: gvaText(target) }),
  };
}

/**
 * A run of checks as a value for `JSON.stringify`, with the guest's texts
 * escaped: text and SARIF are made of it too.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { checkRunJson } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const run = await guest.check({ only: ["XF002"] });
 * const { facts } = guest.session.kernel;
 * const { verdict } = checkRunJson({ target: guest.target, ...facts }, run);
 * console.log(verdict);
 * ```
 */
export function checkRunJson(guest: CheckedGuest, run: CheckRun): CheckRunJson {
  const { outcomes } = run;
  const all = (pick: (outcome: CheckOutcome) => readonly Finding[]) =>
    outcomes.flatMap((outcome) =>
      pick(outcome).map((finding) => findingJson(outcome, finding))
    );
  return {
    target: shown(guest.target),
    release: shown(guest.release),
    buildId: guest.buildId ?? null,
    verdict: verdictOf(run),
    root: {
      verified: run.root.verified,
      cpus: run.root.cpus,
      from: run.root.from ?? null,
      why: run.root.why ?? null,
      required: run.rootRequired,
    },
    ms: Math.round(run.ms),
    findings: all(({ findings }) => findings),
    unjudged: outcomes.flatMap(({ check, unjudged }) =>
      unjudged.map((one) => ({ check: check.id, ...shownMembers(one) }))
    ),
    inFlux: all(({ inFlux }) => inFlux),
    checks: outcomes.map((
      { check, notRun, judged, ms, known, noted = [] },
    ) => ({
      id: check.id,
      title: check.title,
      technique: check.technique,
      notRun: notRun === undefined ? null : shown(notRun),
      judged,
      ms: Math.round(ms),
      known: known.map(shown),
      noted: noted.map(shown),
    })),
  };
}
