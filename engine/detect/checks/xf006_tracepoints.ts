/**
 * XF006: tracepoint probes.
 *
 * @module
 */
import {
  tracepointProbes,
  tracepoints,
} from "../../kernel/objects/tracepoints.ts";
import { judge } from "../core/judge.ts";
import type { Check } from "../core/check.ts";

/** Checks all functions attached to tracepoints. */
export const tracepointHooks: Check = {
  id: "XF006",
  title: "tracepoint probes",
  technique: "T1014",
  help:
    "Every function attached to a tracepoint is the kernel's own, BPF's or a vouched module's.",
  run(context, report) {
    const { kernel, code } = context;
    const points = tracepoints(kernel, code.modules.map(({ gva }) => gva));
    report.judged(points.length);
    for (const probe of tracepointProbes(kernel, points)) {
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
  },
};
