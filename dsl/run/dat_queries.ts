/**
 * Queries on a trace.dat, which holds a guest's events without its memory.
 *
 * @module
 */
import type { Plan } from "../../engine/control/plan.ts";
import { sinkKind } from "../../engine/passes/sinks/all.ts";
import { datFacts, runDat } from "../../engine/run/run_dat.ts";
import type { RunOptions } from "../../engine/run/run_types.ts";
import type { DatTrace } from "../../engine/tracedat/dat_trace.ts";
import { compile } from "../compile/compile.ts";
import type { Asked, GuestRunResult } from "./guest.ts";

/** How queries on a trace.dat are run. */
export interface DatQueryOptions extends Pick<RunOptions, "write" | "window"> {
  /** The target as the user names it. */
  readonly target: string;
  /** The trace instance; default: the top level. */
  readonly instance?: string;
  /** Called with the plan before it runs. */
  readonly onPlan?: (plan: Plan) => void;
  /** Only compile the queries. */
  readonly dryRun?: boolean;
}

/**
 * Runs queries over a trace.dat in one pass.
 *
 * @returns undefined for a dry run
 * @throws {CompileError} when the file does not hold what a query needs.
 *
 * @example
 * ```ts ignore
 * import { queryDat, sys_openat, trace } from "xftrace";
 * import { DatTrace } from "xftrace/ftrace";
 *
 * using file = DatTrace.open("trace.dat");
 * const result = queryDat(file, [trace(sys_openat).count()], {
 *   target: "dat:trace.dat",
 *   write: console.log,
 * });
 * console.log(result?.results);
 * ```
 */
export function queryDat(
  trace: DatTrace,
  queries: readonly Asked[],
  options: DatQueryOptions,
): GuestRunResult | undefined {
  const specs = queries.map(({ spec }) => spec);
  const facts = datFacts(trace, options.target);
  const program = compile(specs, facts, { push: false });
  options.onPlan?.(program.plan);
  if (options.dryRun === true) return undefined;
  const result = runDat(program, trace, options, options.instance);
  const asTheyCame = specs.map((spec) =>
    sinkKind(spec.sink).asTheyCome === true
  );
  return { ...result, asTheyCame };
}
