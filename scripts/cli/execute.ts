/**
 * Runs queries on the target that a command line names: opens it, compiles,
 * shows the plan or runs it, and prints the results.
 *
 * @module
 */
import { compile } from "../../dsl/compile/compile.ts";
import { XftraceError } from "../../engine/base/errors.ts";
import { lookAt } from "../../engine/control/look.ts";
import { planJson, planText } from "../../engine/control/plan_text.ts";
import { sinkKind } from "../../engine/passes/sinks/all.ts";
import type { Program } from "../../engine/query/program.ts";
import {
  openTarget as openTraceTarget,
  runProgram,
  type RunResult,
  type RunTarget,
} from "../../engine/run/run.ts";
import type { SealedOutcome } from "../../engine/run/module_run.ts";
import type { QuerySpec } from "../../engine/query/spec.ts";
import { VERDICTS } from "../../engine/seal/recording/verifier.ts";
import { openCoreSession, type Session } from "../../engine/session.ts";
import { LiveTexts } from "./live_texts.ts";
import { openTarget, type TargetOptions } from "./target.ts";
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
  queries: readonly QuerySpec[],
  options: ExecuteOptions,
): Promise<RunResult | undefined> {
  using session = openSession(options);
  const target = openTraceTarget(session, options.instance);
  const compiled = compile(queries, target.facts, {
    push: options.pushDown ?? true,
  });
  const plan = lookAt(compiled.plan, target);
  if (options.dryRun === true) {
    out(options.json === true ? planJson(plan) : planText(plan));
    return undefined;
  }
  // Only a plan that writes gets memory that can be written.
  if (plan.steps.length > 0) session.memory.makeWritable();
  return await run({ ...compiled, plan }, target, queries, options);
}

/** A recording takes reading alone, so no more is asked for. */
function openSession(options: ExecuteOptions): Session {
  const { target } = options;
  return target?.startsWith("core:") === true
    ? openCoreSession(target, target.slice(5), { onWarning: warn })
    : openTarget(options);
}

async function run(
  program: Program,
  target: RunTarget,
  queries: readonly QuerySpec[],
  options: ExecuteOptions,
): Promise<RunResult> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  // A recording is over before anybody could interrupt it.
  if (target.facts.live) Deno.addSignalListener("SIGINT", interrupt);
  for (const sentence of program.plan.notes) note(`note: ${sentence}`);
  let said = "";
  const live = new LiveTexts(
    target.facts.live && options.json !== true && options.silent !== true,
  );
  try {
    const result = await runProgram(program, target, {
      write: (text) => {
        live.clear();
        out(text);
      },
      ...(options.json === true ? { window: () => {} } : {}),
      signal: stop.signal,
      onProgress: (doing) => {
        if (doing !== said) note(`the guest's module: ${doing} ...`);
        said = doing;
      },
      onPoll: (progress) => live.show(() => progress.texts()),
    });
    live.clear();
    show(result, queries, options);
    return result;
  } finally {
    if (target.facts.live) Deno.removeSignalListener("SIGINT", interrupt);
  }
}

function show(
  result: RunResult,
  queries: readonly QuerySpec[],
  options: ExecuteOptions,
): void {
  if (options.silent === true) {
    // The script has them.
  } else if (options.json === true) {
    const shown = result.results.filter((_, i) =>
      sinkKind(queries[i].sink).asTheyCome !== true
    );
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
      { exitCode: 69 },
    );
  }
}

/** What the seals of the module's entries said. */
function sealText({ counts }: SealedOutcome): string {
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
