/**
 * `xftrace verify`: checks whether a sealed recording is complete and genuine.
 */
import type { Command } from "@commander-js/extra-typings";
import { EXIT, VERSION } from "xftrace";
import {
  type PageData,
  pageOf,
  type PageVerdict,
  writeOutput,
} from "xftrace/output";
import {
  isClean,
  isOnlyUnended,
  isUnharmed,
  type RecordingVerification,
  type ReportedRecording,
  reportRecording,
  SEAL_NUMBER,
  VERDICTS,
  verifyRecording,
} from "xftrace/seal";
import { writeGraph } from "../traces/graph_file.ts";
import { count, Counted, outJson, outLine } from "../terminal.ts";

/** Registers `xftrace verify` on the program. */
export function registerVerify(program: Command): void {
  program.command("verify")
    .summary("check whether a sealed recording is complete and genuine")
    .description(
      "Verifies every entry of a sealed recording with the keys of its key log:\n" +
        "for each CPU, how many are verified, forged, missing, replayed, reordered, or\n" +
        "sealed too early or too late. Lost entries were overwritten before they\n" +
        "were read, which is not tampering. The exit code is 2 if anything is wrong,\n" +
        "and 3 if the trace was not ended, so that nobody can say what came after, or\n" +
        "if a part of an old recording cannot be authenticated.",
    )
    .argument(
      "<recording>",
      "a recording that `xftrace on` has written, such as trace.xfs",
    )
    .option(
      "--klog <file>",
      "the key log (default: the one beside the recording that it names)",
    )
    .option(
      "--epochs",
      "print a line for each key epoch, not only for each CPU",
    )
    .option("--graph <file>", "write the verified entries as a call graph")
    .option(
      "--html <file>",
      "also write the result as a page for a browser to this file",
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace verify trace.xfs
  xftrace verify trace.xfs --klog trace.klog --epochs
  xftrace verify trace.xfs --graph trace_graph.txt
  xftrace verify trace.xfs --html verified.html`,
    )
    .action((path, options) => {
      const { graph, html } = options;
      let result: RecordingVerification;
      if (graph === undefined && html === undefined) {
        using verified = new Counted("entries verified");
        result = verifyRecording(path, options.klog, () => verified.add());
      } else {
        using lines = new Counted("lines of the call graph");
        const reported = graph === undefined
          ? reportRecording(path, options.klog, () => lines.add())
          : writeGraph(path, options.klog, graph, "--graph");
        result = reported;
        if (html !== undefined) {
          writeOutput(html, pageOf(verificationPage(reported)), {
            option: "--html",
          });
        }
      }
      Deno.exitCode = verificationExit(result);
      if (options.json === true) {
        outJson(verificationJson(result));
      } else {
        for (
          const line of verificationLines(result, options.epochs === true)
        ) outLine(line);
      }
    });
}

/** The exit code for a verdict. */
export function verificationExit(result: RecordingVerification): number {
  if (isClean(result)) return EXIT.ok;
  return isUnharmed(result) || isOnlyUnended(result)
    ? EXIT.unjudged
    : EXIT.findings;
}

/** Names of seals that anybody in the guest could make. */
const WEAK = ["none", "xor"];

/** The name of a recording's seal. */
function sealOf({ recording }: RecordingVerification): string {
  return Object.entries(SEAL_NUMBER)
    .find(([, number]) => number === recording.seal)?.[0] ?? "unknown";
}

/** The result as JSON. */
export function verificationJson(
  result: RecordingVerification,
  withEpochs = true,
): unknown {
  return {
    clean: isClean(result),
    seal: sealOf(result),
    klog: result.recording.klog,
    started: startOf(result),
    unauthenticated: result.unauthenticated ?? null,
    total: result.total,
    problems: result.problems,
    findings: result.findings,
    cpus: result.cpus.map(({ cpu, counts, epochs }) => ({
      cpu,
      counts,
      ...(withEpochs
        ? { epochs: [...epochs].map(([epoch, of]) => ({ epoch, ...of })) }
        : {}),
    })),
  };
}

/** The result as lines of text. */
export function verificationLines(
  result: RecordingVerification,
  epochs: boolean,
): string[] {
  const width = 10;
  const row = (name: string, cells: readonly (string | number)[]) =>
    name.padEnd(16) +
    cells.map((cell) => String(cell).padStart(width)).join("");
  const { header, klog } = result.recording;
  const lines = [
    `trace of ${header.target} since ${startOf(result)}, seal ${
      sealOf(result)
    }, keys of ${klog}`,
    row("", VERDICTS),
  ];
  for (const { cpu, counts, epochs: of } of result.cpus) {
    if (epochs) {
      for (const [epoch, one] of of) {
        lines.push(
          row(`cpu ${cpu} epoch ${epoch}`, VERDICTS.map((v) => one[v])),
        );
      }
    }
    lines.push(row(`cpu ${cpu}`, VERDICTS.map((v) => counts[v])));
  }
  lines.push(row("all", VERDICTS.map((v) => result.total[v])));
  for (const problem of result.problems) lines.push(`problem: ${problem}`);
  for (const finding of result.findings.slice(0, 20)) {
    const { verdict, cpu, epoch, sequence, from } = finding;
    lines.push(
      `${verdict}: cpu ${cpu} epoch ${epoch} entry ${sequence}` +
        (from === undefined ? "" : `, which is entry ${from}`),
    );
  }
  if (result.findings.length > 20) {
    lines.push(`and ${result.findings.length - 20} more`);
  }
  if (isOnlyUnended(result)) {
    lines.push(
      "NOT COMPLETE: what was recorded is genuine, but the trace was not ended, so nobody can say what came after",
    );
  } else if (!isUnharmed(result)) lines.push("NOT GENUINE: see above");
  else if (result.unauthenticated !== undefined) {
    const entries = WEAK.includes(sealOf(result))
      ? `the seal "${sealOf(result)}" proves nothing, and`
      : "its entries are genuine, but";
    lines.push(`NOT ALL VERIFIED: ${entries} ${result.unauthenticated}`);
  } else if (WEAK.includes(sealOf(result))) {
    lines.push(
      `verified: nothing was added, changed or taken away since it was recorded; what the guest itself could change before, the seal "${
        sealOf(result)
      }" does not show`,
    );
  } else lines.push("verified: nothing was added, changed or taken away");
  return lines;
}

/** Whether a recording is genuine. */
function kindOf(result: RecordingVerification): PageVerdict["kind"] {
  if (isClean(result) && !WEAK.includes(sealOf(result))) return "good";
  return isUnharmed(result) || isOnlyUnended(result) ? "unknown" : "bad";
}

/**
 * The verdict on a recording whose verified entries are shown, in a sentence
 * that needs no others.
 */
export function sealVerdict(result: RecordingVerification): PageVerdict {
  const kind = kindOf(result);
  const { problems, total } = result;
  const [last = ""] = verificationLines(result, false).slice(-1);
  if (kind !== "bad") return { kind, text: last };
  const wrong = [
    ...VERDICTS.flatMap((verdict) =>
      ["verified", "lost"].includes(verdict) || total[verdict] === 0 ? [] : [
        total[verdict] === 1
          ? `an entry is ${verdict}`
          : `${count(total[verdict])} entries are ${verdict}`,
      ]
    ),
    ...problems.slice(0, 1),
    ...(problems.length > 1
      ? [`and ${problems.length - 1} more problems`]
      : []),
  ];
  return {
    kind,
    text: `NOT GENUINE: ${wrong.join("; ")}. Only verified entries are shown`,
  };
}

/** The result as a page; without a list of foreign calls, if it has none. */
export function verificationPage(
  result: RecordingVerification & Partial<Pick<ReportedRecording, "foreign">>,
): PageData {
  const { header, klog } = result.recording;
  const { foreign } = result;
  const lines = verificationLines(result, false);
  return {
    title: `Sealed trace of ${header.target}`,
    by: `xftrace ${VERSION}`,
    verdict: { kind: kindOf(result), text: lines[lines.length - 1] },
    facts: [
      ["Guest", `${header.target}, Linux ${header.kernel}`],
      ["Began", startOf(result)],
      ["Seal", sealOf(result)],
      ["Key log", klog],
      [
        "Not authenticated",
        result.unauthenticated ?? "nothing: all of it is authenticated",
      ],
    ],
    tables: [
      {
        title: "Problems",
        head: ["Problem"],
        rows: result.problems.map((problem) => [problem]),
        bad: result.problems.map((_, row) => row),
      },
      ...(foreign === undefined ? [] : [{
        title: "Calls of foreign code",
        head: ["Address", "Name", "Seen as", "Times"],
        rows: foreign.map(({ address, name, as, times }) => [
          address,
          name ?? "in no known code",
          as,
          times,
        ]),
        bad: foreign.map((_, row) => row),
        none: "None was seen.",
      }]),
      {
        title: "Entries that are not in order",
        head: ["Verdict", "CPU", "Epoch", "Entry", "Which is entry"],
        rows: result.findings.map((
          { verdict, cpu, epoch, sequence, from },
        ) => [verdict, cpu, epoch, sequence, from ?? ""]),
        bad: result.findings.map((_, row) => row),
        none: "All entries are in order.",
      },
      {
        title: "Entries by CPU",
        head: ["CPU", ...VERDICTS],
        rows: [
          ...result.cpus.map(({ cpu, counts }) => [
            String(cpu),
            ...VERDICTS.map((verdict) => counts[verdict]),
          ]),
          ["all", ...VERDICTS.map((verdict) => result.total[verdict])],
        ],
      },
    ],
  };
}

/** When the trace began, as an ISO date. */
function startOf({ recording }: RecordingVerification): string {
  const date = new Date(recording.started);
  return Number.isNaN(date.getTime()) ? "an unknown time" : date.toISOString();
}
