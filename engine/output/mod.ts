/**
 * Writes traces as text and in other formats.
 *
 * @module
 */
export {
  absoluteOutput,
  OutputFile,
  type OutputOptions,
  writeOutput,
} from "../base/host_file/output.ts";
export { formatNamed, FORMATS } from "./formats.ts";
export {
  type TraceLine,
  traceLineSchema,
  type TraceValue,
} from "./formats/jsonl_schema.ts";
export { TEXT } from "./formats/text.ts";
export { textBytes } from "./text/byte_text.ts";
export type { PageData, PageTable, PageVerdict } from "./page/data.ts";
export { pageOf } from "./page/page_file.ts";
export {
  type SqlResult,
  type SqlValue,
  TraceDatabase,
} from "./sql/database.ts";
export type { TraceMeta } from "./text/environment.ts";
export type { TraceTextOptions } from "./text/options.ts";
export { guestTextOptions, traceMeta } from "./text/trace_meta.ts";
export {
  type SelfTest,
  selfTest,
  type SelfTestOf,
} from "./text/guest/known_kernel.ts";
export { rawReason, unfollowedSettings } from "./text/unfollowed.ts";
export { traceFileFacts } from "./trace_file.ts";
export { writeTracecmdReport } from "./tracecmd/write_report.ts";
export { entryCounts, writeBuffers } from "./write_buffers.ts";
export { datSource, writeDat } from "./write_dat.ts";
export { LiveTrace } from "./write_live.ts";
export { writeTraceGraph } from "./write_spool.ts";
export type {
  TopCalls,
  TopEvent,
  TopFunction,
  TopSnapshot,
  TopSyscall,
} from "./top/snapshot.ts";
export { TopSums } from "./top/top_sums.ts";
export type { Callee, CallGraph } from "./top/call_graph.ts";
export {
  datRuns,
  spoolRuns,
  type TimedEnd,
  type TimedLoss,
  type TimedRun,
  type TimedRuns,
} from "./time_line/timed_runs.ts";
export { alignmentOf, HOST_CLOCK } from "./time_line/alignment.ts";
export {
  type TimedSource,
  writeTimeLine,
} from "./time_line/write_time_line.ts";
export {
  alignSealed,
  type SealedAlignment,
  type WallClock,
} from "./time_line/sealed_alignment.ts";
export { SealedEvents } from "./time_line/sealed_events.ts";
export type { Alignment, SourceSeal } from "./writer.ts";
export type {
  OutputSink,
  TraceFormat,
  TraceSource,
  WriterOptions,
} from "./writer.ts";
