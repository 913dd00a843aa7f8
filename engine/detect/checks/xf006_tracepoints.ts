/**
 * XF006: tracepoint probes.
 *
 * @module
 */
import {
  moduleTracepoints,
  tracepointProbes,
  tracepoints,
} from "../../kernel/objects/tracepoints.ts";
import type { CheckContext } from "../core/context.ts";
import { judge } from "../core/judge.ts";
import { eachModule } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Checks all functions attached to tracepoints. */
export const tracepointHooks: Check = {
  id: "XF006",
  title: "tracepoint probes",
  technique: "T1014",
  help:
    "Every function attached to a tracepoint is the kernel's own, BPF's or a vouched module's.",
  run(context, report) {
    const { kernel } = context;
    judgeAll(context, report, tracepoints(kernel));
    eachModule(
      context,
      report,
      "tracepoints of module",
      ({ gva }, report) =>
        judgeAll(context, report, moduleTracepoints(kernel, gva)),
      { anyState: true },
    );
  },
};

function judgeAll(
  context: CheckContext,
  report: Report,
  points: readonly bigint[],
): void {
  report.judged(points.length);
  for (const probe of tracepointProbes(context.kernel, points)) {
    const found = judge(context, report, {
      where: `tracepoint ${probe.tracepoint}`,
      address: probe.gva,
      target: probe.func,
      allowed: "vouched",
      severity: "high",
      means: "it is told of each event and sees its arguments",
    });
    report.known(`tracepoint ${probe.tracepoint} has ${found.name}`);
  }
}
