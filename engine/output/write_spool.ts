/**
 * Passes what a collector kept to a writer, or writes it as `trace_graph.txt`:
 * the call graph as the guest's own trace file would print it.
 *
 * @module
 */
import type { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import { drainQueues, handOut } from "../ftrace/ring/event_queue.ts";
import { RootFilter } from "../ftrace/graph/root_filter.ts";
import type { SpoolReader } from "../ftrace/ring/spool.ts";
import { TEXT } from "./formats/text.ts";
import { RunBuilder } from "./run_builder.ts";
import type { DescribedGuest } from "./write_buffers.ts";
import type { OutputSink, TraceSource, TraceWriter } from "./writer.ts";

/** How many events were written, and how many are missing. */
export interface SpoolSummary {
  /** Events read, before any filter. */
  readonly events: number;
  /** Events written to the file. */
  readonly kept: number;
  /** Events that the guest wrote but that could not be read in time. */
  readonly lost: number;
  /** Events that the guest itself could not write. */
  readonly dropped: number;
  /** Whether the collector's file was cut short. */
  readonly truncated: boolean;
}

/** The summary of a text file. */
export interface TraceGraphSummary extends SpoolSummary {
  /** Lines in the file, without the header. */
  readonly lines: number;
}

/** How many rows may wait for the event that shows whether a call is a leaf. */
const HELD_ROWS = 4_000_000;

/**
 * Writes a spool: begins the trace, passes on all events, and ends it.
 *
 * @param roots GVAs of functions: only what happens in calls of these is kept;
 * if empty, everything is
 */
export function writeSpool(
  spool: SpoolReader,
  guest: DescribedGuest,
  roots: readonly bigint[],
  writer: TraceWriter,
): SpoolSummary {
  const { meta } = guest;
  // The collector saw names of threads that the kernel no longer knows.
  const comm = (pid: number) => spool.comms.get(pid) ?? meta.comm(pid);
  const source: TraceSource = {
    ...guest,
    kind: "collected",
    meta: { ...meta, comm },
  };
  const filter = roots.length === 0
    ? undefined
    : new RootFilter(roots, meta.arch.ftraceSites.offsets);
  const sums = handOut();
  const runs = new RunBuilder(source, writer);
  const visit = (columns: EventColumns, row: number, arena: PageArena) => {
    if (filter === undefined || filter.keeps(columns, row)) {
      runs.add(columns, row, arena);
    } else runs.skip(columns, row);
  };
  writer.begin([source]);
  let comms = 0;
  while (spool.poll()) {
    if (spool.comms.size !== comms) {
      comms = spool.comms.size;
      writer.refresh?.();
    }
    drainQueues(spool.queues, visit, sums, { holdEntries: HELD_ROWS });
    runs.flush();
  }
  drainQueues(spool.queues, visit, sums, { all: true });
  runs.flush();
  const { lost, dropped, truncated } = spool;
  writer.end({ events: runs.count, lost, dropped });
  return { events: sums.count, kept: runs.count, lost, dropped, truncated };
}

/**
 * Writes a spool as text.
 *
 * @param roots GVAs of functions: only what happens in calls of these is kept;
 * if empty, everything is
 * @param sink is called with the text, in chunks that end at the end of a line
 *
 * @example
 * ```ts ignore
 * import { openInstance, SpoolReader } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 * import { guestTextOptions, traceMeta, writeTraceGraph } from "xftrace/output";
 *
 * await using guest = await open("qemu:web1");
 * const { instance, events, layout } = openInstance(guest.session);
 * using spool = new SpoolReader("web1.spool", layout);
 * const described = {
 *   meta: traceMeta(instance, events, layout),
 *   options: guestTextOptions(instance),
 * };
 * const { lines } = writeTraceGraph(spool, described, [], (chunk) => {
 *   console.log(chunk);
 * });
 * console.log(lines);
 * ```
 */
export function writeTraceGraph(
  spool: SpoolReader,
  guest: DescribedGuest,
  roots: readonly bigint[],
  sink: OutputSink,
): TraceGraphSummary {
  let lines = 0;
  let above = true;
  const writer = TEXT.writer((chunk) => {
    // The header is the first chunk.
    if (!above && typeof chunk === "string") lines += linesIn(chunk);
    above = false;
    sink(chunk);
  });
  const summary = writeSpool(spool, guest, roots, writer);
  return { ...summary, lines };
}

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    lines++;
  }
  return lines;
}
