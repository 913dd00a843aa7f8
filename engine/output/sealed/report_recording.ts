/**
 * Turns a recording and its key log into a verdict and trace_graph.txt.
 *
 * @module
 */
import { type ForeignAddress, GraphReport } from "./graph_report.ts";
import { readRecording } from "../../seal/recording/recording.ts";
import {
  type RecordingVerification,
  verifyRecording,
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
 * @throws {XftraceError} like {@linkcode verifyRecording}.
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
  const { header, names } = readRecording(path);
  const report = new GraphReport(header, names);
  const result = verifyRecording(path, klogPath, report.visit);
  for (const text of report.lines()) line(text);
  return { ...result, report, foreign: report.foreign };
}
