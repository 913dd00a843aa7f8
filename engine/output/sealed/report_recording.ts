/**
 * Turns a recording and its key log into a verdict and trace_graph.txt.
 *
 * @module
 */
import { type ForeignAddress, GraphReport } from "./graph_report.ts";
import {
  readVerified,
  type RecordingVerification,
} from "../../seal/recording/verify_recording.ts";

/** A verdict, and what the report shows. */
export interface ReportedRecording extends RecordingVerification {
  readonly report: GraphReport;
  /** Functions and callers outside the kernel's text. */
  readonly foreign: readonly ForeignAddress[];
}

/**
 * Verifies a recording and calls `line` with each line of its graph in time
 * order. The graph contains only verified entries.
 *
 * @throws {XftraceError} like `verifyRecording`.
 *
 * @example
 * ```ts ignore
 * import { isClean, reportRecording } from "xftrace/seal";
 *
 * const result = reportRecording("web1.xfs", undefined, console.log);
 * console.log(isClean(result), result.foreign);
 * ```
 */
export function reportRecording(
  path: string,
  klogPath: string | undefined,
  line: (text: string) => void,
): ReportedRecording {
  let report: GraphReport | undefined;
  const result = readVerified(path, klogPath, ({ header, names }) => {
    report = new GraphReport(header, names);
    return report.visit;
  });
  report ??= new GraphReport(result.recording.header, result.recording.names);
  for (const text of report.lines()) line(text);
  return { ...result, report, foreign: report.foreign };
}
