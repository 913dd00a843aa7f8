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
import {
  askedFor,
  type CheckReading,
  isAlarming,
  outcome,
  pauseBefore,
  unsettled,
} from "./outcome.ts";
import type { Finding, Report } from "../finding.ts";
import type { Check, CheckOutcome } from "./check.ts";
import { type RootVerdict, rootVerdict } from "./cpu_roots.ts";
import type { RegisterReading } from "../../arch/registers.ts";

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

/**
 * Checks that take no longer than this (in ms) are repeated even when they find
 * nothing: once, and beside others that are repeated.
 */
const QUICK = 150;
/** For how many rounds they are. */
const ALIKE = 3;
/** The shortest pause in ms before such a repetition. */
const LOOK = 40;

/** The result of running checks. */
export interface CheckRun {
  readonly outcomes: readonly CheckOutcome[];
  /** Duration in ms, including pauses. */
  readonly ms: number;
  /** Whether the processors run the kernel that was read. */
  readonly root: RootVerdict;
  /** Whether the caller wants that to be so. */
  readonly rootRequired: boolean;
}

/**
 * Runs checks against a kernel. In a running guest, everything that is read
 * quickly is read twice. Findings are read again three times, and more often
 * while the guest is changing what was read; what {@linkcode outcome} makes of
 * these readings is reported. A place that differs each time is unjudged; a
 * finding that was seen once is listed as in flux.
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
  let registers = await options.registers?.();
  kernel.space.budget.renew();
  const ram = ramText(kernel);
  const first = new Round(kernel, options, registers);
  let root = rootVerdict(kernel, registers);
  const { name } = kernel.arch;
  const own = checks.filter(({ arch }) => arch === undefined || arch === name);
  if (own.length === 0 && checks.length > 0) {
    throw new XftraceError(
      `${checks.map(({ id }) => id).join(", ")}: not about ${name} kernels`,
    );
  }
  const history = new Map(
    own.map((check) => [check, [first.read(check)]]),
  );
  // A core or a file does not change, so reading it again is pointless.
  for (let round = 1; kernel.memory.live; round++) {
    const pending = [...history].filter(([check, readings]) =>
      unsettled(check, readings)
    );
    if (pending.length === 0 && round > 1) break;
    await sleep(
      Math.max(...pending.map(([, { length }]) => pauseBefore(length)), LOOK),
    );
    // What is in one check's place now may be in another's next time.
    const all = round === 1 ||
      round <= ALIKE && [...history.values()].flat().some(isAlarming);
    const now = [...history].filter(([check, readings]) =>
      all && readings[0].ms <= QUICK || pending.some(([one]) => one === check)
    );
    if (now.some(([{ readsRegisters }]) => readsRegisters === true)) {
      registers = await options.registers?.();
      root = rootVerdict(kernel, registers);
    }
    let again = new Round(kernel, options, registers);
    for (const [i, [check, readings]] of now.entries()) {
      // What all checks share grows old while the first of them read. What is
      // still not settled is then read by itself.
      if (i > 0 && round > ALIKE) {
        again = new Round(kernel, options, registers);
      }
      readings.push(again.read(check));
    }
  }
  const outcomes = [...history].map(([check, readings]) =>
    options.asked === true
      ? askedFor(outcome(check, readings))
      : outcome(check, readings)
  );
  const unread = options.unreadRam?.() ??
    (ramText(kernel) === ram
      ? undefined
      : "memory was plugged in or unplugged while it was checked; check again");
  return {
    outcomes: unread === undefined
      ? outcomes
      : outcomes.map((one) =>
        one.notRun !== undefined ? one : {
          ...one,
          unjudged: [
            ...one.unjudged,
            { what: "memory that was plugged in", why: unread },
          ],
        }
      ),
    ms: performance.now() - from,
    root,
    rootRequired: options.requireRoot === true,
  };
}

/** Which memory can be read, as text. */
function ramText({ memory }: Kernel): string {
  return JSON.stringify(memory.ranges);
}

/**
 * One reading by several checks: what they share, and what is left of the time
 * that they may take together.
 */
class Round {
  readonly #kernel: Kernel;
  readonly #options: CheckOptions;
  readonly #context: CheckContext | string;
  readonly #limits: BudgetLimits;
  #ms: number;

  constructor(
    kernel: Kernel,
    options: CheckOptions,
    registers: RegisterReading | undefined,
  ) {
    this.#kernel = kernel;
    this.#options = options;
    this.#limits = checkLimits(kernel.memory);
    this.#ms = roundMs(kernel.memory);
    this.#context = contextOf(kernel, options, registers);
  }

  /** Has one check read the kernel. */
  read(check: Check): CheckReading {
    const ms = Math.max(LEAST_MS, Math.min(this.#ms, this.#limits.ms));
    const limits = { ...this.#limits, ms };
    const reading = readOnce(this.#kernel, check, this.#context, limits);
    this.#ms -= reading.spent?.ms ?? 0;
    return {
      ...reading,
      moving: moving(reading, this.#context, this.#kernel, this.#options),
    };
  }
}

/**
 * The findings of a running guest whose place and target are not what they were
 * when the reading began: they lie in a module that has been loaded or unloaded
 * since.
 */
function moving(
  { findings }: CheckReading,
  before: CheckContext | string,
  kernel: Kernel,
  options: CheckOptions,
): ReadonlySet<Finding> {
  if (
    findings.length === 0 || !kernel.memory.live || typeof before === "string"
  ) return new Set();
  const now = contextOf(kernel, options, undefined);
  if (typeof now === "string") return new Set(findings);
  const owner = ({ code }: CheckContext, gva: bigint) =>
    `${code.at(gva).kind} ${code.moduleAt(gva)?.gva}`;
  return new Set(
    findings.filter(({ address, target = address }) =>
      [address, target].some((gva) =>
        kernel.space.tryTranslate(gva) === undefined ||
        owner(before, gva) !== owner(now, gva)
      )
    ),
  );
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
  registers: RegisterReading | undefined,
): CheckContext | string {
  let context: CheckContext | string = "";
  const limits = { ...checkLimits(kernel.memory), of: "what all checks need" };
  const { ended } = kernel.space.budget.within(limits, () => {
    try {
      context = steady(() => new CheckContext(kernel, options, registers));
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
  const noted: string[] = [];
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
    known: (text, { always = false } = {}) => {
      known.push(text);
      if (always) noted.push(text);
    },
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
    ...(noted.length === 0 ? {} : { noted }),
    notRun,
    judged,
    ms,
    busy,
    lost,
    passing,
    moving: new Set(),
    ...(spent === undefined ? {} : { spent }),
  };
}
