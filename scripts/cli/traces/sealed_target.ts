/**
 * Sealed recordings as targets of commands: `-t xfs:FILE`.
 *
 * @module
 */
import {
  SealedEvents,
  type TraceFormat,
  type WriterOptions,
  writeTimeLine,
} from "xftrace/output";
import { parseTarget } from "xftrace/targets";
import { FileSink } from "../../collector/file_sink.ts";
import {
  sealVerdict,
  verificationExit,
  verificationPage,
} from "../commands/verify.ts";
import { usage } from "../option_values.ts";
import { Counted, note, traceOutput } from "../terminal.ts";
import { Writing } from "./writing.ts";

/** The target that the options or the environment name, if it is a recording. */
export function sealedTarget(target: string | undefined): string | undefined {
  const named = target ?? Deno.env.get("XFTRACE_TARGET") ?? "";
  return named.startsWith("xfs:") ? named : undefined;
}

/** How a sealed recording is written. */
export interface SealedReportOptions {
  readonly klog?: string;
  readonly raw?: boolean;
  readonly output?: string;
  readonly instance?: string;
  readonly snapshot?: boolean;
  readonly onlyCpu?: number;
}

/**
 * Verifies a recording and writes its verified entries; says the verdict, and
 * sets the exit code, like `verify`.
 *
 * @returns how many events there are, and how many entries are missing
 * @throws {XftraceError} when it cannot be read, or is no recording.
 */
export function reportSealed(
  target: string,
  format: TraceFormat,
  options: SealedReportOptions,
): { readonly events: number; readonly lost: number } {
  const spec = parseTarget(target);
  if (spec.kind !== "xfs") throw usage(`${target} is no sealed recording`);
  for (const name of ["instance", "snapshot", "onlyCpu"] as const) {
    if (options[name] === undefined) continue;
    const flag = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    throw usage(`${target} has no ring buffers: --${flag} is for guests`);
  }
  if (format.name.startsWith("dat")) {
    throw usage(
      `a trace.dat cannot hold the entries of a sealed recording, which are no events of the kernel's; use perfetto, html, jsonl or parquet`,
    );
  }
  const trace = readSealed(spec.path, options.klog);
  const { verification } = trace;
  const { facts, tables = [] } = verificationPage(verification);
  const page: WriterOptions["page"] = { facts, tables };
  const verdict = sealVerdict(verification);
  const source = trace.source(verdict);
  const runs = trace.runs(trace.start, (ts) => ts - Number(trace.start));
  using file = options.output === undefined
    ? undefined
    : new FileSink(options.output);
  const out = file === undefined
    ? traceOutput(options.raw === true, format)
    : { sink: (chunk: string | Uint8Array) => file.write(chunk), options: {} };
  using writing = new Writing(format, out.sink, {
    how: { ...out.options, page },
    quiet: file === undefined && Deno.stdout.isTerminal(),
  });
  const totals = writeTimeLine([{ source, runs }], writing.writer);
  file?.commit();
  writing.tellLeftOut();
  note(verdict.text);
  Deno.exitCode = verificationExit(verification);
  return totals;
}

/** Reads and verifies a recording, and shows how far it is. */
export function readSealed(path: string, klog?: string): SealedEvents {
  using verified = new Counted("entries verified");
  return SealedEvents.read(path, klog, () => verified.add());
}
