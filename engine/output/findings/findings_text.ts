/**
 * The results of checks as text for people.
 *
 * @module
 */
import { SEVERITIES } from "../../detect/finding.ts";
import type { CheckRunJson } from "./findings_json.ts";
import { type FoundPlace, foundPlaces } from "./findings_places.ts";

/** How text is emphasized; by default it is not. */
export interface FindingsStyle {
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

const PLAIN: FindingsStyle = { strong: (t) => t, faint: (t) => t };

/**
 * A run of checks as text: findings, what could not be judged, and a line for
 * each check.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { checkRunJson, findingsText } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const run = await guest.check({ only: ["XF002"] });
 * const { facts } = guest.session.kernel;
 * const json = checkRunJson({ target: guest.target, ...facts }, run);
 * console.log(findingsText(json));
 * ```
 */
export function findingsText(
  run: CheckRunJson,
  style: FindingsStyle = PLAIN,
  details = false,
): string {
  const lines: string[] = [];
  for (const place of foundPlaces(run.findings)) {
    lines.push(...placeLines(place, style), "");
  }
  if (run.unjudged.length > 0) {
    lines.push(style.strong("Could not be judged"));
    for (const { check, what, why } of run.unjudged) {
      lines.push(`  ${check}  ${what}: ${why}`);
    }
    lines.push("");
  }
  if (run.inFlux.length > 0) {
    lines.push(style.strong("In flux (gone when read again)"));
    for (const { check, summary } of run.inFlux) {
      lines.push(`  ${check}  ${summary}`);
    }
    lines.push("");
  }
  lines.push(
    ...checkLines(run, style, details),
    "",
    rootLine(run),
    summaryLine(run),
  );
  return lines.join("\n") + "\n";
}

function placeLines(
  { main: finding, also }: FoundPlace,
  style: FindingsStyle,
): string[] {
  const { check, severity, technique, title, summary } = finding;
  const rows: [string, string | undefined][] = [
    ["where", `${finding.where} at ${finding.address}`],
    ["expected", finding.expected],
    ["found", finding.found],
    ["leads to", finding.target],
    ["module", finding.module],
    ["wanted?", finding.hint],
    ...also.map((one): [string, string] => [
      "also",
      `${one.check} ${one.severity}: ${one.summary}`,
    ]),
  ];
  return [
    `${style.strong(`${check} ${severity}`)}  ${summary}`,
    ...rows.filter(([, value]) => value !== undefined).map(([name, value]) =>
      `       ${style.faint(name.padEnd(8))}  ${value}`
    ),
    `       ${style.faint("check".padEnd(8))}  ${title} (ATT&CK ${technique})`,
  ];
}

function checkLines(
  run: CheckRunJson,
  style: FindingsStyle,
  details: boolean,
): string[] {
  const width = Math.max(...run.checks.map(({ title }) => title.length));
  return run.checks.flatMap(({ id, title, judged, known, noted, notRun }) => {
    const findings = run.findings.filter(({ check }) => check === id).length;
    const unjudged = run.unjudged.filter(({ check }) => check === id).length;
    const result = findings > 0
      ? style.strong(findings === 1 ? "1 finding" : `${findings} findings`)
      : unjudged > 0
      ? "not judged"
      : notRun !== null
      ? `not run: ${notRun}`
      : "clean";
    const line = `${id}  ${title.padEnd(width)}  ${
      judged.toLocaleString("en-US").padStart(11)
    } judged  ${result}`;
    const told = details ? known : noted;
    return [line, ...told.map((text) => style.faint(`       ${text}`))];
  });
}

/** Whether the processors run the kernel that was read, and why not. */
export function rootLine({ root }: CheckRunJson): string {
  return root.verified
    ? `root verified by ${root.cpus} CPU${
      root.cpus === 1 ? "" : "s"
    } (registers from ${root.from})`
    : `root not verified: ${root.why}`;
}

/**
 * The last line, with the verdict on the guest.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { checkRunJson, summaryLine } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const run = await guest.check({ only: ["XF002"] });
 * const { facts } = guest.session.kernel;
 * const json = checkRunJson({ target: guest.target, ...facts }, run);
 * console.log(summaryLine(json));
 * ```
 */
export function summaryLine(run: CheckRunJson): string {
  const { findings, unjudged } = run;
  const places = foundPlaces(findings).length;
  const checks = run.checks.filter(({ notRun }) => notRun === null);
  const many = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const parts = SEVERITIES
    .map((severity) => ({
      severity,
      n: findings.filter((one) => one.severity === severity).length,
    }))
    .filter(({ n }) => n > 0).map(({ severity, n }) => `${n} ${severity}`);
  const what = run.verdict === "findings"
    ? `${many(findings.length, "finding")}${
      places < findings.length ? ` in ${many(places, "place")}` : ""
    } (${parts.join(", ")})`
    : run.verdict === "unjudged"
    ? checks.length === 0 ? "not judged" : "not judged in full"
    : "clean";
  const rest =
    (unjudged.length > 0
      ? `, ${many(unjudged.length, "thing")} could not be judged`
      : "") + (run.root.verified ? "" : ", root not verified");
  const idle = run.checks.filter(({ notRun }) => notRun !== null)
    .map(({ id }) => id);
  const not = idle.length === 0 ? "" : `, not run: ${idle.join(", ")}`;
  return `${run.target} (${run.release}): ${what}${rest}; ${
    many(checks.length, "check")
  } in ${(run.ms / 1000).toFixed(1)} s${not}`;
}
