/**
 * Files of trace-cmd as targets of commands: `-t dat:FILE`.
 *
 * @module
 */
import { DatTrace } from "xftrace/ftrace";
import {
  type TraceFormat,
  writeDat,
  writeTracecmdReport,
} from "xftrace/output";
import { parseTarget } from "xftrace/targets";
import { FileSink } from "../../collector/file_sink.ts";
import { givenGraphOptions, type GraphFlags } from "../graph_options.ts";
import { usage } from "../option_values.ts";
import { count, traceOutput, warn } from "../terminal.ts";
import { Writing } from "./writing.ts";

/** The target that the options or the environment name, if it is a trace.dat. */
export function datTarget(target: string | undefined): string | undefined {
  const named = target ?? Deno.env.get("XFTRACE_TARGET") ?? "";
  return named.startsWith("dat:") ? named : undefined;
}

/**
 * Opens a target that {@linkcode datTarget} found.
 *
 * @throws {XftraceError} when it cannot be read, or is no trace.dat.
 */
export function openDat(target: string): DatTrace {
  const spec = parseTarget(target);
  if (spec.kind !== "dat") throw usage(`${target} is no trace.dat`);
  const trace = DatTrace.open(spec.path);
  const { badFormats, shifted } = trace.header;
  if (badFormats > 0) {
    warn(`${count(badFormats)} formats of events in ${spec.path} are damaged`);
  }
  if (shifted) {
    warn(
      `${spec.path} says how its times relate to those of a host, which is not taken into account`,
    );
  }
  return trace;
}

/** Options of `report` that matter for a trace.dat. */
export interface DatReportOptions extends GraphFlags {
  readonly instance?: string;
  readonly snapshot?: boolean;
  readonly onlyCpu?: number;
  readonly raw?: boolean;
  readonly output?: string;
  /** Set if the writer writes nothing to standard output. */
  readonly silent?: boolean;
}

/**
 * `report` of a trace.dat.
 *
 * @returns how many events it has, and how many it says are missing
 */
export function reportDat(
  target: string,
  format: TraceFormat,
  options: DatReportOptions,
): { readonly events: number; readonly lost: number } {
  const [flag] = Object.entries(givenGraphOptions(options));
  if (options.snapshot === true) {
    throw usage(`${target} has no snapshot buffer: --snapshot is for guests`);
  }
  if (flag !== undefined) {
    throw usage(
      `--${flag[1] ? "" : "no-"}${
        flag[0]
      } is for guests; a trace.dat is printed like trace-cmd report does`,
    );
  }
  using trace = openDat(target);
  const only = {
    ...(options.onlyCpu === undefined ? {} : { cpu: options.onlyCpu }),
    ...(options.instance === undefined ? {} : { instance: options.instance }),
  };
  if (options.output === undefined) {
    const { sink, options: how } = traceOutput(options.raw === true, format);
    const quiet = options.silent !== true && Deno.stdout.isTerminal();
    using writing = new Writing(format, sink, { how, quiet });
    const reading = format.display === true
      ? writeTracecmdReport(trace, writing.sink, {
        ...only,
        escaped: how.escaped === true,
        bytes: how.bytes === true,
      })
      : writeDat(trace, writing.writer, { ...only, target });
    writing.tellLeftOut();
    tellProblems(reading);
    return reading;
  }
  using file = new FileSink(options.output);
  using writing = new Writing(format, (chunk) => file.write(chunk));
  const reading = format.display === true
    ? writeTracecmdReport(trace, writing.sink, { ...only, bytes: true })
    : writeDat(trace, writing.writer, { ...only, target });
  file.commit();
  writing.tellLeftOut();
  tellProblems(reading);
  return reading;
}

/** Says what could not be read. */
function tellProblems(
  { problems, damaged }: {
    readonly problems: readonly string[];
    readonly damaged: number;
  },
): void {
  for (const problem of problems) warn(problem);
  if (damaged > problems.length) {
    warn(`${count(damaged - problems.length)} more pages as these`);
  }
}
