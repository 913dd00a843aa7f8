/**
 * Runs queries on the target that a command line names: opens it, compiles,
 * shows the plan or runs it, and prints the results.
 *
 * @module
 */
import {
  type Asked,
  EXIT,
  type GuestRunResult,
  planJson,
  type PlanOptions,
  planText,
  type RunResult,
  XftraceError,
} from "xftrace";
import { VERDICTS } from "xftrace/seal";
import { LiveTexts } from "./live_texts.ts";
import { openGuest, type TargetOptions } from "./target.ts";
import { count, note, out, outJson, warn } from "./terminal.ts";

/** What a command line says about running. */
export interface ExecuteOptions extends TargetOptions {
  /** Print the plan, write nothing. */
  readonly dryRun?: boolean;
  /** Tell the guest what it can be told; default true. */
  readonly pushDown?: boolean;
  /** Results as JSON. */
  readonly json?: boolean;
  /** The trace instance. */
  readonly instance?: string;
  /** Results are the script's: it prints what it likes. */
  readonly silent?: boolean;
}

/** Runs queries in one pass; prints what they come to. */
export async function execute(
  queries: readonly Asked[],
  options: ExecuteOptions,
): Promise<RunResult | undefined> {
  // A recording takes reading alone, so no more is asked for.
  const recording = options.target?.startsWith("core:") === true;
  using guest = await openGuest(
    recording ? { ...options, cache: false } : options,
  );
  const planning: PlanOptions = {
    push: options.pushDown ?? true,
    ...(options.instance === undefined ? {} : { instance: options.instance }),
  };
  if (options.dryRun === true) {
    const plan = guest.plan(queries, planning);
    out(options.json === true ? planJson(plan) : planText(plan));
    return undefined;
  }
  let said = "";
  const live = new LiveTexts(
    guest.running && options.json !== true && options.silent !== true,
  );
  const result = await guest.run(queries, {
    ...planning,
    onPlan: ({ notes }) => {
      for (const sentence of notes) note(`note: ${sentence}`);
    },
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
  return result;
}

function show(
  result: GuestRunResult,
  options: ExecuteOptions,
): void {
  if (options.silent === true) {
    // The script has them.
  } else if (options.json === true) {
    const shown = result.results.filter((_, i) => !result.asTheyCame[i]);
    if (shown.length > 0) outJson(shown.length === 1 ? shown[0] : shown);
  } else {
    const texts = result.texts.filter((text) => text !== "");
    out(texts.join("\n"));
  }
  for (const sentence of result.warnings) warn(sentence);
  note(summary(result));
  if (result.ended === "guest gone") {
    throw new XftraceError(
      "the guest ended while it was traced; what was collected is above",
      { exitCode: EXIT.gone },
    );
  }
}

/** What the seals of the module's entries said. */
function sealText({ counts }: NonNullable<RunResult["sealed"]>): string {
  const wrong = VERDICTS.filter((verdict) =>
    verdict !== "verified" && verdict !== "lost" &&
    (counts[verdict] > 0 || verdict === "forged" || verdict === "missing")
  );
  return `seals: ${count(counts.verified)} verified, ${
    wrong.map((verdict) => `${count(counts[verdict])} ${verdict}`).join(", ")
  }`;
}

/** What was read and what was not, in one line. */
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
