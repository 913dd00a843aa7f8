/**
 * Runs queries on the target that a command line names: opens it, compiles,
 * shows the plan or runs it, and prints the results.
 *
 * @module
 */
import {
  type Asked,
  END_TEXT,
  type Guest,
  GuestGoneError,
  type GuestRunResult,
  type Plan,
  planJson,
  type PlanOptions,
  planText,
  queryDat,
  type RunResult,
  XftraceError,
} from "xftrace";
import { SealedTracer, VERDICTS } from "xftrace/seal";
import { lockGuest } from "../collector/guest_lock.ts";
import { datTarget, openDat } from "./traces/dat_target.ts";
import { LiveTexts } from "./live_texts.ts";
import { openGuest, type TargetOptions } from "./target.ts";
import { count, note, out, outJson, warn } from "./terminal.ts";
import { requireHere } from "./while_there.ts";

/** Options of the commands that run queries. */
export interface ExecuteOptions extends TargetOptions {
  /** Print the plan, and write nothing. */
  readonly dryRun?: boolean;
  /** Have the guest narrow down what it records, where it can; default true. */
  readonly pushDown?: boolean;
  /** Print the results as JSON. */
  readonly json?: boolean;
  /** The trace instance. */
  readonly instance?: string;
  /** Do not print results: the script that gets them decides. */
  readonly silent?: boolean;
}

/** Opens the guest that queries run on. */
export function openForQueries(options: ExecuteOptions): Promise<Guest> {
  // A recording must open with --allow-read alone: do not use the cache.
  const recording = options.target?.startsWith("core:") === true;
  return openGuest(recording ? { ...options, cache: false } : options);
}

/**
 * Runs queries in one pass and prints their results, or prints the plan
 * (`dryRun`).
 */
export async function execute(
  queries: readonly Asked[],
  options: ExecuteOptions,
): Promise<RunResult | undefined> {
  const dat = datTarget(options.target);
  if (dat !== undefined) return executeOnDat(dat, queries, options);
  await using guest = await openForQueries(options);
  return await executeOn(guest, queries, options);
}

/** The same on a trace.dat. */
export function executeOnDat(
  target: string,
  queries: readonly Asked[],
  options: ExecuteOptions,
): RunResult | undefined {
  using trace = openDat(target);
  const result = queryDat(trace, queries, {
    target,
    ...(options.instance === undefined ? {} : { instance: options.instance }),
    dryRun: options.dryRun === true,
    onPlan: (plan) => {
      if (options.dryRun === true) {
        out(options.json === true ? planJson(plan) : planText(plan));
      } else for (const sentence of plan.notes) note(`note: ${sentence}`);
    },
    write: out,
    ...(options.json === true ? { window: () => {} } : {}),
  });
  if (result !== undefined) show(result, options);
  return result;
}

/** Like {@linkcode execute}, on a guest that is open. */
export async function executeOn(
  guest: Guest,
  queries: readonly Asked[],
  options: ExecuteOptions,
): Promise<RunResult | undefined> {
  const planning: PlanOptions = {
    push: options.pushDown ?? true,
    ...(options.instance === undefined ? {} : { instance: options.instance }),
  };
  if (options.dryRun === true) {
    const plan = guest.plan(queries, planning);
    out(options.json === true ? planJson(plan) : planText(plan));
    return undefined;
  }
  await requireHere(guest.session);
  let said = "";
  const live = new LiveTexts(
    guest.running && options.json !== true && options.silent !== true,
  );
  // Until it has begun, so that no other command begins at the same time.
  using beginning = new DisposableStack();
  const result = await guest.run(queries, {
    ...planning,
    onPlan: (plan) => {
      beginning.use(lockFor(guest, plan));
      for (const sentence of plan.notes) note(`note: ${sentence}`);
    },
    onStart: () => beginning.dispose(),
    write: (text) => {
      live.clear();
      out(text);
    },
    ...(options.json === true ? { window: () => {} } : {}),
    onProgress: (doing) => {
      if (doing !== said) note(`the guest's module: ${doing} ...`);
      said = doing;
    },
    onPoll: (progress) => live.show(() => progress.texts()),
  });
  live.clear();
  show(result, options);
  if (result.ended === "guest gone") {
    throw new GuestGoneError(
      `the guest ${
        END_TEXT[guest.session.end() ?? "ended"]
      } while it was traced; what was collected is above`,
    );
  }
  return result;
}

/**
 * Takes the lock of a guest that a plan changes.
 *
 * @throws {XftraceError} when another command has it, or has begun to use the
 * module since the plan was made.
 */
function lockFor(guest: Guest, plan: Plan): Disposable | null {
  const { session } = guest;
  if (plan.steps.length === 0 || session.key === undefined) return null;
  const lock = lockGuest(session.key, session.target, "a run of queries");
  if (
    !plan.steps.some(({ step }) => step.control === "module") ||
    SealedTracer.find(session)?.enabled !== true
  ) return lock;
  lock[Symbol.dispose]();
  throw new XftraceError(
    `the module of ${session.target} has begun to record for somebody else; run this again when that has ended`,
  );
}

function show(
  result: GuestRunResult,
  options: ExecuteOptions,
): void {
  if (options.silent === true) {
    // The script gets the results, and prints what it wants.
  } else if (options.json === true) {
    // Lines of JSON stay lines of JSON.
    if (!result.asTheyCame.every((lines) => lines)) outJson(resultsOf(result));
  } else {
    const texts = result.texts.filter((text) => text !== "");
    out(texts.join("\n"));
  }
  for (const sentence of result.warnings) warn(sentence);
  note(summary(result));
}

/** What `--json` prints: see docs/json.md. */
function resultsOf({ results, read, events, ...rest }: GuestRunResult) {
  const { lost, overwritten, open, sealed, ended, warnings } = rest;
  return {
    results,
    read,
    events,
    lost,
    overwritten,
    open,
    ended,
    ...(sealed === undefined ? {} : { sealed }),
    warnings,
  };
}

/** The verdicts on the module's entries, as text. */
function sealText({ counts }: NonNullable<RunResult["sealed"]>): string {
  const wrong = VERDICTS.filter((verdict) =>
    verdict !== "verified" && verdict !== "lost" &&
    (counts[verdict] > 0 || verdict === "forged" || verdict === "missing")
  );
  return `seals: ${count(counts.verified)} verified, ${
    wrong.map((verdict) => `${count(counts[verdict])} ${verdict}`).join(", ")
  }`;
}

/** How much was read and how much was missed, in one line. */
export function summary(result: RunResult): string {
  const parts = [
    `${count(result.read)} entries read`,
    `${count(result.events.reduce((sum, n) => sum + n, 0))} events`,
    `${count(result.lost)} lost`,
  ];
  if (result.overwritten > 0) {
    parts.push(`${count(result.overwritten)} overwritten before in the guest`);
  }
  const open = result.open.reduce((most, n) => Math.max(most, n), 0);
  if (open > 0) parts.push(`${count(open)} calls had not returned`);
  if (result.sealed !== undefined) parts.push(sealText(result.sealed));
  return parts.join(", ");
}
