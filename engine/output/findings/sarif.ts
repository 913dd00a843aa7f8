/**
 * The results of checks as SARIF 2.1.0 (OASIS), the format of code-scanning
 * tools.
 *
 * @module
 */
import type { Severity } from "../../detect/finding.ts";
import type { Check } from "../../detect/core/check.ts";
import type { CheckRunJson } from "./findings_json.ts";

const SCHEMA =
  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

const LEVELS: Record<Severity, "error" | "warning" | "note"> = {
  critical: "error",
  high: "error",
  medium: "warning",
  low: "note",
};

/** The score by which viewers sort, from 0 to 10. */
const SCORES: Record<Severity, string> = {
  critical: "9.5",
  high: "8.0",
  medium: "5.0",
  low: "2.0",
};

/**
 * A SARIF log of a run.
 *
 * @param version of xftrace
 *
 * @example
 * ```ts
 * import { open, VERSION } from "xftrace";
 * import { checkRunJson, sarifLog, selectChecks } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const run = await guest.check({ only: ["XF002"] });
 * const { facts } = guest.session.kernel;
 * const json = checkRunJson({ target: guest.target, ...facts }, run);
 * console.log(sarifLog(json, selectChecks(["XF002"]), VERSION));
 * ```
 */
export function sarifLog(
  run: CheckRunJson,
  checks: readonly Check[],
  version: string,
): object {
  const index = new Map(checks.map(({ id }, i) => [id, i]));
  return {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [{
      tool: {
        driver: {
          name: "xftrace",
          version,
          semanticVersion: version,
          rules: checks.map(({ id, title, help, technique }) => ({
            id,
            name: title.replaceAll(
              /(^| )(\w)/g,
              (_, _space, letter: string) => letter.toUpperCase(),
            ),
            shortDescription: { text: title },
            fullDescription: { text: help },
            help: { text: help },
            properties: { tags: ["security", `external/attack/${technique}`] },
          })),
        },
      },
      automationDetails: { id: `xftrace-check/${run.target}` },
      invocations: [{
        executionSuccessful: run.unjudged.length === 0 &&
          run.verdict !== "unjudged",
        toolExecutionNotifications: run.unjudged.map((one) => ({
          level: "error",
          associatedRule: { id: one.check, index: index.get(one.check) ?? -1 },
          message: {
            text: messageText(`${one.what} could not be judged: ${one.why}`),
          },
        })),
      }],
      results: run.findings.map((finding) => ({
        ruleId: finding.check,
        ruleIndex: index.get(finding.check) ?? -1,
        level: LEVELS[finding.severity],
        message: { text: messageText(finding.summary) },
        locations: [{
          logicalLocations: [{
            fullyQualifiedName: `${run.target}/${finding.where}`,
            name: finding.where,
            kind: "member",
          }],
        }],
        // Addresses change with each boot, but the name of the place does not.
        partialFingerprints: {
          "place/v1": `${finding.check}:${finding.where}`,
        },
        properties: {
          "security-severity": SCORES[finding.severity],
          severity: finding.severity,
          address: finding.address,
          ...(finding.target === undefined ? {} : { target: finding.target }),
          ...(finding.expected === undefined
            ? {}
            : { expected: finding.expected }),
          ...(finding.found === undefined ? {} : { found: finding.found }),
          ...(finding.module === undefined ? {} : { module: finding.module }),
          technique: finding.technique,
        },
      })),
      properties: {
        target: run.target,
        release: run.release,
        buildId: run.buildId,
        verdict: run.verdict,
        root: run.root,
      },
    }],
  };
}

/**
 * A message in plain text: SARIF makes links of `[text](address)`, and
 * placeholders of braces (3.11.5, 3.11.6), which a guest's names must not.
 */
function messageText(text: string): string {
  return text.replaceAll("](", "] (").replace(/[{}]/g, "$&$&");
}
