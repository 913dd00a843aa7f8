/**
 * The results of checks as a page for a browser.
 *
 * @module
 */
import { VERSION } from "../../base/version.ts";
import { SEVERITIES } from "../../detect/finding.ts";
import type { PageData, PageVerdict } from "../page/data.ts";
import type { CheckRunJson, FindingJson } from "./findings_json.ts";
import { rootLine, summaryLine } from "./findings_text.ts";

const KINDS: Readonly<Record<CheckRunJson["verdict"], PageVerdict["kind"]>> = {
  clean: "good",
  findings: "bad",
  unjudged: "unknown",
};

/**
 * A run of checks as a page: the verdict first, then findings, what could not
 * be judged, and all checks.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { checkRunJson, findingsPage } from "xftrace/detect";
 * import { pageOf } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const run = await guest.check({ only: ["XF002"] });
 * const { facts } = guest.session.kernel;
 * const json = checkRunJson({ target: guest.target, ...facts }, run);
 * console.log(pageOf(findingsPage(json)).length);
 * ```
 */
export function findingsPage(run: CheckRunJson): PageData {
  const worstFirst = [...run.findings].sort((a, b) =>
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)
  );
  return {
    title: `Check of ${run.target}`,
    by: `xftrace ${VERSION}`,
    verdict: { kind: KINDS[run.verdict], text: summaryLine(run) },
    facts: [
      ["Guest", run.target],
      ["Kernel", `Linux ${run.release}`],
      ["Build ID", run.buildId ?? "unknown"],
      ["Processors", rootLine(run)],
      ["Took", `${(run.ms / 1000).toFixed(1)} s`],
    ],
    tables: [
      {
        title: "Findings",
        head: [
          "Severity",
          "Check",
          "What is wrong",
          "Where",
          "Expected",
          "Found",
          "Leads to",
          "Module",
          "If it is wanted",
        ],
        rows: worstFirst.map((finding) => [
          finding.severity,
          `${finding.check} (ATT&CK ${finding.technique})`,
          finding.summary,
          `${finding.where} at ${finding.address}`,
          finding.expected ?? "",
          finding.found ?? "",
          finding.target ?? "",
          finding.module ?? "",
          finding.hint ?? "",
        ]),
        bad: worstFirst.map((_, row) => row),
        none: "Nothing was found.",
      },
      {
        title: "Could not be judged",
        head: ["Check", "What", "Why"],
        rows: run.unjudged.map(({ check, what, why }) => [check, what, why]),
      },
      {
        title: "In flux: gone when it was read again",
        head: ["Check", "What"],
        rows: run.inFlux.map(({ check, summary }) => [check, summary]),
      },
      {
        title: "All checks",
        head: ["Check", "What it looks at", "Judged", "Result", "Harmless"],
        rows: run.checks.map((check) => [
          check.id,
          `${check.title} (ATT&CK ${check.technique})`,
          check.judged,
          resultOf(check, run),
          check.known.join("; "),
        ]),
      },
    ],
  };
}

function resultOf(
  { id, notRun }: CheckRunJson["checks"][number],
  { findings, unjudged }: CheckRunJson,
): string {
  const of = (list: readonly Pick<FindingJson, "check">[]) =>
    list.filter(({ check }) => check === id).length;
  const found = of(findings);
  if (found > 0) return found === 1 ? "1 finding" : `${found} findings`;
  if (of(unjudged) > 0) return "not judged";
  return notRun === null ? "clean" : `not run: ${notRun}`;
}
