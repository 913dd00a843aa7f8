/**
 * XF022: call counts.
 *
 * @module
 */
import { NOTHING_RECORDED, reportProblems } from "../flow/call_flow.ts";
import { FALSE_POSITIVE_RATE, sizeDifferences } from "../flow/compare_flow.ts";
import type { Check } from "../core/check.ts";

/**
 * Compares the number of functions that run within each root's calls with a
 * baseline.
 */
export const callCounts: Check = {
  id: "XF022",
  title: "call counts",
  technique: "T1014",
  help:
    `With --baseline: the calls of each traced root run as many functions as the baseline's did. For work like the baseline's it is wrong at most once in ${
      1 / FALSE_POSITIVE_RATE
    } times for each root.`,
  run(context, report) {
    const { kernel, options } = context;
    if (options.baseline === undefined) {
      report.notRun("no baseline was given (--baseline)");
      return;
    }
    const { flow, events, problems } = context.recorded;
    reportProblems(report, context.recorded);
    if (events === 0) {
      if (problems.length === 0) report.notRun(NOTHING_RECORDED);
      return;
    }
    report.judged(flow.size);
    for (const one of sizeDifferences(options.baseline.flow, flow)) {
      const { root, range, calls, outside, expected } = one;
      report.finding({
        severity: "medium",
        where: root,
        address: kernel.symbols.tryAddress(root.split(" [")[0]) ?? 0n,
        expected: `${range[0]} to ${range[1]} functions a call`,
        found: `${outside} of ${calls} calls outside`,
        varies: true,
        summary:
          `${outside} of ${calls} calls of ${root} ran more or fewer functions than any of the baseline's (${
            range.join(" to ")
          }); by chance ${(100 * expected).toFixed(2)} % of them would`,
      });
    }
  },
};
