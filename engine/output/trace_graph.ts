/**
 * Log_Maker's file: `trace_graph.txt`, the call graph as the guest's own trace
 * file would print it, out of what a collector kept.
 *
 * @module
 */
import type { EventColumns } from "../ftrace/ring/columns.ts";
import { drainQueues, handOut } from "../ftrace/ring/event_queue.ts";
import type { TraceMeta } from "./text/environment.ts";
import { RootFilter } from "../ftrace/graph/root_filter.ts";
import type { SpoolReader } from "../ftrace/ring/spool.ts";
import type { TraceTextOptions } from "./text/options.ts";
import { TraceText } from "./text/trace_text.ts";

/** What was written, and what is missing. */
export interface TraceGraphSummary {
  /** Events that were read, before any filter. */
  readonly events: number;
  /** Events in the file. */
  readonly kept: number;
  /** Lines in the file, the header's not counted. */
  readonly lines: number;
  /** Events the guest wrote that could not be read in time. */
  readonly lost: number;
  /** Events the guest itself could not write. */
  readonly dropped: number;
  /** Whether the collector's file was cut short. */
  readonly truncated: boolean;
}

/** Takes text; returns nothing. */
export type TextSink = (chunk: string) => void;

const CHUNK = 65536;
/** Rows that may wait for the event that tells a leaf from a call. */
const HELD_ROWS = 4_000_000;

/**
 * Writes a spool as text.
 *
 * @param roots GVAs of functions: only what happens under them; none: all
 * @param sink takes the text in chunks that end at line ends
 */
export function writeTraceGraph(
  spool: SpoolReader,
  meta: TraceMeta,
  options: TraceTextOptions,
  roots: readonly bigint[],
  sink: TextSink,
): TraceGraphSummary {
  // The collector saw threads that the kernel has forgotten since.
  const comm = (pid: number) => spool.comms.get(pid) ?? meta.comm(pid);
  const text = new TraceText({ ...meta, comm }, options);
  const filter = roots.length === 0 ? undefined : new RootFilter(roots);
  const sums = handOut();
  let chunk = "";
  let kept = 0;
  let lines = 0;
  let comms = 0;
  const put = (piece: string) => {
    for (
      let at = piece.indexOf("\n");
      at >= 0;
      at = piece.indexOf("\n", at + 1)
    ) {
      lines++;
    }
    chunk += piece;
    if (chunk.length < CHUNK) return;
    sink(chunk);
    chunk = "";
  };
  sink(text.header({ entries: 0, written: 0 }).replace(COUNTS, ""));
  const visit = (
    columns: EventColumns,
    row: number,
    arena: Parameters<TraceText["event"]>[1],
  ) => {
    if (filter !== undefined && !filter.keeps(columns, row)) {
      if (columns.lost.length > 0) put(lossText(columns, row));
      return;
    }
    kept++;
    put(text.event(columns, arena, row));
  };
  while (spool.poll()) {
    if (spool.comms.size !== comms) {
      comms = spool.comms.size;
      text.refresh();
    }
    drainQueues(spool.queues, visit, sums, { holdEntries: HELD_ROWS });
  }
  drainQueues(spool.queues, visit, sums, { all: true });
  if (chunk !== "") sink(chunk);
  return {
    events: sums.count,
    kept,
    lines,
    lost: spool.lost,
    dropped: spool.dropped,
    truncated: spool.truncated,
  };
}

/** The header's line of buffer counters means nothing for a collected trace. */
const COUNTS = /^# entries-in-buffer.*\n#\n/m;

/** A loss is shown even where the event after it is filtered out. */
function lossText(columns: EventColumns, row: number): string {
  const loss = columns.lost.find((loss) => loss.row === row);
  return loss === undefined
    ? ""
    : `CPU:${loss.cpu} [LOST ${loss.count} EVENTS]\n`;
}
