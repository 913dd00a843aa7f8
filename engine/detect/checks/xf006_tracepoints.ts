/**
 * XF006: tracepoint probes.
 *
 * @module
 */
import {
  moduleTracepoints,
  type TracepointCode,
  tracepointCode,
  tracepointProbes,
  tracepoints,
} from "../../kernel/objects/tracepoints.ts";
import type { CheckContext } from "../core/context.ts";
import { type Allowed, judge } from "../core/judge.ts";
import { eachModule } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Checks all functions attached to tracepoints. */
export const tracepointHooks: Check = {
  id: "XF006",
  title: "tracepoint probes",
  technique: "T1014",
  help:
    "Every function attached to a tracepoint is the kernel's own, BPF's or a vouched module's, and a tracepoint to which none is attached calls none.",
  run(context, report) {
    const { kernel } = context;
    judgeAll(context, report, tracepoints(kernel), "image");
    eachModule(
      context,
      report,
      "tracepoints of module",
      ({ gva }, report) =>
        judgeAll(context, report, moduleTracepoints(kernel, gva), "known"),
      { anyState: true },
    );
  },
};

/** @param own the code that the tracepoints themselves may lead to */
function judgeAll(
  context: CheckContext,
  report: Report,
  points: readonly bigint[],
  own: Allowed,
): void {
  report.judged(points.length);
  const attached = new Map<bigint, Set<bigint>>();
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
    const functions = attached.get(probe.point) ?? new Set();
    attached.set(probe.point, functions.add(probe.func));
  }
  for (const code of tracepointCode(context.kernel, points)) {
    judgeCode(context, report, code, attached.get(code.point), own);
  }
}

/**
 * Judges what a tracepoint calls without a function being attached: only its
 * own code.
 */
function judgeCode(
  context: CheckContext,
  report: Report,
  { point, key, called, iterator, functions }: TracepointCode,
  attached: ReadonlySet<bigint> | undefined,
  own: Allowed,
): void {
  const where = context.code.nameOf(point);
  const one = (what: string, address: bigint, target: bigint) =>
    judge(context, report, {
      where: `${where}: ${what}`,
      address,
      target,
      allowed: own,
      means: "it is called at each event",
    });
  if (iterator !== 0n) one("iterator", point, iterator);
  for (const { member, address, func } of functions) one(member, address, func);
  if (called === 0n || called === iterator || attached?.has(called)) return;
  one("static call", key, called);
}
