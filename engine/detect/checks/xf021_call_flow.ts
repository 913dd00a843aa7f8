/**
 * XF021: call flow.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import { NOTHING_RECORDED, reportProblems } from "../flow/call_flow.ts";
import { flowDifferences } from "../flow/compare_flow.ts";
import type { CheckContext } from "../core/context.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/**
 * Checks what Ftrace recorded: which functions ran, and from where they were
 * called.
 */
export const callFlow: Check = {
  id: "XF021",
  title: "call flow",
  technique: "T1014",
  help:
    "What the guest's own Ftrace has recorded holds no function and no caller that is not the kernel's, a vouched module's or generated code; with --baseline also no call that the baseline never saw, more often than chance explains, and none of its calls is missing. Needs function_graph or function in the top-level buffer, or a sealed recording of this boot (--recording).",
  run(context, report) {
    const { kernel, options } = context;
    const recorded = context.recorded;
    reportProblems(report, recorded);
    if (recorded.events === 0) {
      // A recording from which everything was taken is not an empty one.
      if (recorded.problems.length === 0) report.notRun(NOTHING_RECORDED);
      return;
    }
    report.judged(recorded.events);
    for (const { gva, caller, calls } of recorded.functions) {
      strange(context, report, gva, {
        where: `function below ${caller}`,
        what: `ran ${calls} times below ${caller}`,
      });
    }
    for (const { gva, callee, calls } of recorded.callers) {
      strange(context, report, gva, {
        where: `caller of ${callee}`,
        what: `called ${callee} ${calls} times`,
      });
    }
    if (options.baseline === undefined) return;
    const { flow, buildId } = options.baseline;
    const own = kernel.facts.buildId;
    if (buildId !== null && own !== undefined && buildId !== own) {
      report.unjudged(
        "the baseline",
        `it is another kernel's (BUILD-ID ${buildId}) than the guest's (${own})`,
      );
      return;
    }
    const rare: string[] = [];
    for (const difference of flowDifferences(flow, recorded.flow)) {
      const { kind, caller, callee, calls } = difference;
      if (kind === "rare") {
        rare.push(`${caller} -> ${callee}`);
        continue;
      }
      const gva = kernel.symbols.tryAddress(callee.split(" [")[0]) ?? 0n;
      report.finding({
        severity: "medium",
        where: `${caller} -> ${callee}`,
        address: gva,
        expected: kind === "new" ? "not in the baseline" : "in every call",
        found: kind === "new" ? "called" : "never called",
        summary: kind === "new"
          ? `${caller} called ${callee} ${calls} times, which the baseline never saw`
          : `${caller} never called ${callee}, as every call of the baseline did`,
      });
    }
    if (rare.length > 0) {
      report.known(
        `${rare.length} calls are not in the baseline, as rarely as it must be expected: ${
          rare.slice(0, 8).join(", ")
        }`,
      );
    }
  },
};

function strange(
  context: CheckContext,
  report: Report,
  gva: bigint,
  { where, what }: { where: string; what: string },
): void {
  const code = context.code.at(gva);
  const { module, kind, name } = code;
  if (kind === "unread") {
    report.unjudged(`${name}, which ${what}`, context.code.whyUnread);
    return;
  }
  const trusted = module !== undefined && context.trusts(module);
  if (
    kind === "module" ? trusted : kind !== "foreign" && kind !== "hidden module"
  ) {
    return;
  }
  // A module that has been unloaded since, or user space below a system call.
  if (kind === "foreign" && !context.code.executable(gva)) {
    report.known(`${hex(gva)}, which is gone now, ${what}`);
    return;
  }
  report.finding({
    severity: "critical",
    where,
    address: gva,
    target: gva,
    expected: "the kernel's own functions",
    found: name,
    summary: `${name} ${what}: ${
      kind === "module"
        ? "a module that the kernel does not vouch for"
        : kind === "hidden module"
        ? "a module that the module list does not show"
        : "code that belongs to nobody"
    }`,
    ...(module === undefined ? {} : { module: module.name }),
    ...(module === undefined || kind !== "module"
      ? {}
      : { hint: context.howToTrust(module) }),
  });
}
