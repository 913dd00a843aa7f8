/**
 * A guest's Ftrace: instances, events, ring buffers, and followers.
 *
 * @module
 */
export { pollGuest, sleep } from "../base/polling.ts";
export { listEvents } from "./events/event_list.ts";
export { TraceEvents } from "./events/events.ts";
export { findEvents } from "./events/find_events.ts";
export type { EventField, EventFormat } from "./events/formats.ts";
export { SavedCmdlines } from "./events/saved_cmdlines.ts";
export { readGraphRoots } from "./graph/graph_roots.ts";
export {
  type ClockBound,
  type ClockBounds,
  ClockMap,
  type ClockPart,
} from "./clock/clock_map.ts";
export { ClockPair, type ReadableClock } from "./clock/clock_pair.ts";
export { ClockWatch } from "./clock/clock_watch.ts";
export { BufferStream, isStopped } from "./ring/buffer_stream.ts";
export { Follower, type PollWatch } from "./ring/follower.ts";
export { type TraceLayout, traceLayout } from "./ring/meta.ts";
export { openInstance } from "./ring/open_instance.ts";
export { readBuffers, readFirstPage } from "./ring/reader.ts";
export { SpoolReader } from "./ring/spool.ts";
export { SpoolWriter } from "./ring/spool_writer.ts";
export {
  type LastBoot,
  lastBoot,
  type LastBootModule,
} from "./boot/last_boot.ts";
export { type BufferPart, TraceArray } from "./ring/trace_array.ts";
export { type TracerType, tracerTypes } from "./ring/tracers.ts";
export { DatTrace } from "../tracedat/dat_trace.ts";
export { eventFormat } from "../tracedat/format_file.ts";
