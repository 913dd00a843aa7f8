/**
 * Runs checks, and reads everything again before a finding is reported, because
 * a running kernel changes while it is read.
 *
 * @module
 */
import {
  GuestGoneError,
  KernelError,
  MemoryError,
  XftraceError,
} from "../../base/errors.ts";
import {
  type BudgetLimits,
  type Spent,
  SpentError,
} from "../../base/budget.ts";
import { sleep } from "../../base/polling.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { steady } from "../../kernel/core/lists.ts";
import { checkLimits, LEAST_MS, roundMs } from "../../memory/read_limits.ts";
import { CheckContext, type CheckOptions } from "./context.ts";
import { withImageSymbols } from "../text/image_symbols.ts";
import { samePlace, sameThing } from "../finding.ts";
import type { Finding, Report } from "../finding.ts";
import type { Check, CheckOutcome } from "./check.ts";

/**
 * Pauses in ms before the readings that must confirm a finding: longer than
 * patching text or unloading a module takes.
 */
const CONFIRM_AFTER = [60, 240, 700];

/**
 * Maximum number of readings: a slow or busy guest may hold its locks for
 * seconds (switching on a tracer patches all text under one).
 */
const MOST_READINGS = 24;

/**
 * Maximum number of readings with a failed walk: damaged structures stay
 * damaged. Readings repeated for another reason, such as a held lock, do not
 * count.
 */
const MOST_WALKS = 8;

/**
 * Locks that the kernel holds while it changes what checks read; findings made
 * while one is held are read again until it is free.
 */
const LOCKS = [
  "text_mutex",
  "ftrace_lock",
  "module_mutex",
  "kprobe_mutex",
  "tracepoints_mutex",
  "trace_types_lock",
  "event_mutex",
  "jump_label_mutex",
  "static_call_mutex",
];

/** One reading by one check. */
export interface CheckReading {
  readonly findings: readonly Finding[];
  readonly unjudged: readonly { what: string; why: string }[];
  readonly known: readonly string[];
  readonly notRun: string | undefined;
  readonly judged: number;
  /** Duration in ms. */
  readonly ms: number;
  /**
   * Whether the kernel held one of {@linkcode LOCKS} before or after the
   * reading.
   */
  readonly busy: boolean;
  /** Whether a walk failed, or hit memory that was gone. */
  readonly lost: boolean;
  /** Whether something could not be judged for a reason that may pass. */
  readonly passing: boolean;
  /** What was unloaded before it could be judged. */
  readonly gone: readonly Finding[];
  /** What it spent of its budget. */
  readonly spent?: Spent;
}

/** The result of running checks. */
export interface CheckRun {
  readonly outcomes: readonly CheckOutcome[];
  /** Duration in ms, including pauses. */
  readonly ms: number;
}

/**
 * Runs checks against a kernel. In a running guest, findings are read again
 * three times, and more often while the guest is changing what was read; only a
 * finding that stays the same is reported. A place that differs each time is
 * unjudged; a finding that disappeared is listed as in flux.
 *
 * With a trusted image, things are found by its names, not by the guest's.
 *
 * Checks for other architectures are skipped.
 *
 * @throws {GuestGoneError} when the guest ends meanwhile.
 * @throws {XftraceError} when all checks are for other architectures.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { runChecks, selectChecks } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { outcomes } = await runChecks(
 *   guest.session.kernel,
 *   selectChecks(["XF002"]),
 * );
 * console.log(outcomes[0].judged, outcomes[0].findings.length);
 * ```
 */
export async function runChecks(
  opened: Kernel,
  checks: readonly Check[],
  options: CheckOptions = {},
): Promise<CheckRun> {
  const from = performance.now();
  const kernel = named(opened, options);
  kernel.space.budget.renew();
  const round = new Round(kernel, options);
  const { name } = kernel.arch;
  const own = checks.filter(({ arch }) => arch === undefined || arch === name);
  if (own.length === 0 && checks.length > 0) {
    throw new XftraceError(
      `${checks.map(({ id }) => id).join(", ")}: not about ${name} kernels`,
    );
  }
  const history = new Map(
    own.map((check) => [check, [round.read(check)]]),
  );
  // A core or a file does not change, so reading it again is pointless.
  while (kernel.memory.live) {
    const pending = [...history].filter(([check, readings]) =>
      unsettled(check, readings)
    );
    if (pending.length === 0) break;
    const times = Math.max(...pending.map(([, readings]) => readings.length));
    const pause = CONFIRM_AFTER[Math.min(times, CONFIRM_AFTER.length) - 1];
    await sleep(pause);
    const again = new Round(kernel, options);
    for (const [check, readings] of pending) readings.push(again.read(check));
  }
  const outcomes = [...history].map(([check, readings]) =>
    outcome(check, readings)
  );
  return { outcomes, ms: performance.now() - from };
}

/**
 * One reading by several checks: what they share, and what is left of the time
 * that they may take together.
 */
class Round {
  readonly #kernel: Kernel;
  readonly #context: CheckContext | string;
  readonly #limits: BudgetLimits;
  #ms: number;

  constructor(kernel: Kernel, options: CheckOptions) {
    this.#kernel = kernel;
    this.#limits = checkLimits(kernel.memory);
    this.#ms = roundMs(kernel.memory);
    this.#context = contextOf(kernel, options);
  }

  /** Has one check read the kernel. */
  read(check: Check): CheckReading {
    const ms = Math.max(LEAST_MS, Math.min(this.#ms, this.#limits.ms));
    const limits = { ...this.#limits, ms };
    const reading = readOnce(this.#kernel, check, this.#context, limits);
    this.#ms -= reading.spent?.ms ?? 0;
    return reading;
  }
}

/** Whether another reading could change the outcome. */
export function unsettled(
  check: Check,
  readings: readonly CheckReading[],
): boolean {
  const last = readings[readings.length - 1];
  if (last.findings.length === 0 && isWhole(last)) return false;
  if (last.findings.length === 0 && last.spent?.ended !== undefined) {
    return false;
  }
  if (readings.length <= CONFIRM_AFTER.length) return true;
  if (readings.length >= MOST_READINGS) return false;
  // What has no end has none when it is read again.
  if (last.spent?.ended !== undefined) return false;
  if (last.lost) {
    return readings.filter(({ lost }) => lost).length < MOST_WALKS;
  }
  if (last.passing) return true;
  if (last.gone.length > 0) {
    return readings.filter(({ gone }) => gone.length > 0).length < MOST_WALKS;
  }
  // Only one reading could see everything, and it shows a finding: another
  // such reading has to confirm or withdraw it.
  if (
    last.findings.length > 0 && isWhole(last) &&
    readings.filter(isWhole).length === 1
  ) return true;
  return outcome(check, readings).findings.length > 0 &&
    readings.every(({ busy }) => busy);
}

/**
 * Combines several readings: a finding must appear unchanged in every complete
 * reading; what changes each time cannot be judged.
 *
 * @param readings at least one, oldest first
 */
export function outcome(
  check: Check,
  readings: readonly CheckReading[],
): CheckOutcome {
  const last = readings[readings.length - 1];
  // A finding missing from a reading that could not see everything does not
  // count as gone.
  const whole = readings.filter(isWhole);
  const enough = (key: string) =>
    whole.every(({ findings }) => findings.some((f) => sameThing(f) === key)) &&
    (readings.length === 1 || (times.get(key) ?? 0) > 1);
  const times = new Map<string, number>();
  const places = new Map<string, number>();
  for (const { findings } of readings) {
    for (const key of new Set(findings.map(sameThing))) {
      times.set(key, (times.get(key) ?? 0) + 1);
    }
    for (const key of new Set(findings.map(samePlace))) {
      places.set(key, (places.get(key) ?? 0) + 1);
    }
  }
  const findings = last.findings.filter((finding) =>
    enough(sameThing(finding))
  );
  const confirmed = new Set(findings.map(sameThing));
  const unjudged = [...last.unjudged];
  const inFlux = new Map<string, Finding>();
  for (const { gone } of readings) {
    for (const one of gone) inFlux.set(samePlace(one), one);
  }
  // No later reading could do without it.
  for (const { where } of last.gone) {
    unjudged.push({
      what: where,
      why: "it was unloaded while it was read, each time until the last",
    });
  }
  for (const { findings: seen } of readings) {
    for (const finding of seen) {
      if (confirmed.has(sameThing(finding))) continue;
      const key = samePlace(finding);
      if (inFlux.has(key)) continue;
      inFlux.set(key, finding);
      if (places.get(key) === readings.length) {
        unjudged.push({
          what: finding.where,
          why: "it held something else at each reading",
        });
      }
    }
  }
  return {
    check,
    findings: unique(findings),
    unjudged,
    known: last.known,
    notRun: last.notRun,
    inFlux: [...inFlux.values()],
    judged: last.judged,
    ms: readings[0].ms,
  };
}

/** Whether a reading saw everything. */
function isWhole({ unjudged, gone }: CheckReading): boolean {
  return unjudged.length === 0 && gone.length === 0;
}

function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((f) => [sameThing(f), f])).values()];
}

/** The kernel with the names of the trusted image, if one was given. */
function named(kernel: Kernel, { vmlinux }: CheckOptions): Kernel {
  if (vmlinux === undefined) return kernel;
  try {
    return withImageSymbols(kernel, vmlinux);
  } catch (error) {
    if (error instanceof GuestGoneError) throw error;
    if (!(error instanceof KernelError || error instanceof MemoryError)) {
      throw error;
    }
    return kernel; // Each check will say so.
  }
}

/** Reads what all checks need; returns the reason as text when that fails. */
function contextOf(
  kernel: Kernel,
  options: CheckOptions,
): CheckContext | string {
  let context: CheckContext | string = "";
  const limits = { ...checkLimits(kernel.memory), of: "what all checks need" };
  const { ended } = kernel.space.budget.within(limits, () => {
    try {
      context = steady(() => new CheckContext(kernel, options));
    } catch (error) {
      context = whyUnread(error);
    }
  });
  return ended?.message ?? context;
}

/**
 * Why something could not be read, as a sentence. Data that no kernel writes
 * may also make our own code fail: that ends what was read, and no more.
 *
 * @throws the error itself when it is not about what was read.
 */
function whyUnread(error: unknown): string {
  if (error instanceof KernelError || error instanceof MemoryError) {
    return error.message;
  }
  const ours = error instanceof TypeError || error instanceof RangeError ||
    error instanceof SyntaxError;
  if (!ours) throw error;
  return `an internal error (damaged data, or a fault of xftrace): ${error.message}`;
}

/** Whether one of {@linkcode LOCKS} is held now. */
function held(kernel: Kernel): boolean {
  const owner = kernel.types.tryOffset("mutex", "owner");
  if (owner === undefined) return false;
  return LOCKS.some((name) => {
    const at = kernel.symbols.tryAddress(name);
    if (at === undefined) return false;
    try {
      // The low bits are flags about waiters.
      return kernel.space.u64(at + BigInt(owner)) >> 3n !== 0n;
    } catch (error) {
      // A recording may lack this page.
      if (error instanceof MemoryError) return false;
      throw error;
    }
  });
}

/**
 * Has one check read the kernel once.
 *
 * @param context what it is given; or why that cannot be read
 * @param limits what it may spend
 */
export function readOnce(
  kernel: Kernel,
  check: Check,
  context: CheckContext | string,
  limits: BudgetLimits = checkLimits(kernel.memory),
): CheckReading {
  const from = performance.now();
  const before = held(kernel);
  const findings: Finding[] = [];
  const gone: Finding[] = [];
  const unjudged: { what: string; why: string }[] = [];
  const known: string[] = [];
  let judged = 0;
  let notRun: string | undefined;
  let lost = false;
  let passing = false;
  let spent: Spent | undefined;
  const part = (what: string, body: () => void) => {
    try {
      body();
    } catch (error) {
      if (error instanceof GuestGoneError) throw error;
      if (!(error instanceof KernelError || error instanceof MemoryError)) {
        throw error;
      }
      lost = true;
      unjudged.push({ what, why: error.message });
    }
  };
  const report: Report = {
    finding: (finding) => findings.push({ check: check.id, ...finding }),
    unjudged: (what, why) => unjudged.push({ what, why }),
    passing: (what, why) => {
      passing = true;
      unjudged.push({ what, why });
    },
    gone: (finding) => gone.push({ check: check.id, ...finding }),
    known: (text) => known.push(text),
    notRun: (why) => notRun = why,
    judged: (count) => judged += count,
    part,
  };
  // Memory that a recording lacks, or that is damaged in the guest.
  if (typeof context === "string") {
    lost = true;
    report.unjudged(check.title, context);
  } else {
    spent = kernel.space.budget.within(limits, () => {
      try {
        part(check.title, () => check.run(context, report));
      } catch (error) {
        if (error instanceof SpentError) throw error;
        report.unjudged(check.title, whyUnread(error));
      }
    });
    const why = spent.ended?.message;
    // What could not be read is not clean, even when the check went on.
    if (why !== undefined && unjudged.every((one) => one.why !== why)) {
      report.unjudged(check.title, why);
    }
  }
  const silent = findings.length === 0 && unjudged.length === 0 &&
    gone.length === 0;
  if (judged === 0 && silent && notRun === undefined) {
    report.unjudged(check.title, "there was nothing that it could judge");
  }
  const ms = performance.now() - from;
  const busy = before || held(kernel);
  return {
    findings,
    gone,
    unjudged,
    known,
    notRun,
    judged,
    ms,
    busy,
    lost,
    passing,
    ...(spent === undefined ? {} : { spent }),
  };
}
