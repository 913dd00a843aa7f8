/**
 * Passes the content of an instance's buffers to a writer.
 *
 * @module
 */
import { BufferStream } from "../ftrace/ring/buffer_stream.ts";
import { TimeMerge } from "../ftrace/ring/merge.ts";
import type { TraceMeta } from "./text/environment.ts";
import type { Reading } from "../ftrace/ring/reader.ts";
import { LONGEST_RUN } from "./run_builder.ts";
import type { EntryCounts } from "./text/header.ts";
import type { TraceTextOptions } from "./text/options.ts";
import {
  EventRun,
  type TraceFileFacts,
  type TraceSource,
  type TraceTotals,
  type TraceWriter,
} from "./writer.ts";

/** What a writer needs to know about a guest, besides its events. */
export interface DescribedGuest {
  readonly meta: TraceMeta;
  readonly options: TraceTextOptions;
  /** As the user names it. */
  readonly target?: string;
  /** For formats that are files for other tools. */
  readonly file?: TraceFileFacts;
}

/**
 * The counters of the header (kernel/trace/trace.c, get_total_entries).
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance, readBuffers } from "xftrace/ftrace";
 * import { entryCounts } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, layout } = openInstance(guest.session);
 * const { entries, written } = entryCounts(readBuffers(instance, layout));
 * console.log(`entries-in-buffer/entries-written: ${entries}/${written}`);
 * ```
 */
export function entryCounts(
  reading: Pick<Reading, "cpus" | "others">,
): EntryCounts {
  let entries = 0;
  let written = 0;
  for (const cpu of [...reading.cpus, ...reading.others ?? []]) {
    const count = cpu.expected - cpu.skipped;
    entries += count;
    // When events were skipped as older than the trace, so were the overwritten
    // ones.
    written += cpu.skipped > 0 ? count : count + cpu.overrun;
  }
  return { entries, written };
}

/**
 * Writes a whole trace: begins it, passes on all events, and ends it.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance, readBuffers } from "xftrace/ftrace";
 * import {
 *   formatNamed,
 *   guestTextOptions,
 *   traceMeta,
 *   writeBuffers,
 * } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * let text = "";
 * const { lost } = writeBuffers(
 *   readBuffers(instance, layout),
 *   {
 *     meta: traceMeta(instance, events, layout),
 *     options: guestTextOptions(instance),
 *     target: guest.target,
 *   },
 *   formatNamed("jsonl").writer((chunk) => text += chunk),
 * );
 * console.log(lost, text.split("\n")[0]);
 * ```
 */
export function writeBuffers(
  reading: Omit<Reading, "problems" | "part"> | BufferStream,
  guest: DescribedGuest,
  writer: TraceWriter,
): TraceTotals {
  const sum = (name: "overrun" | "lost") =>
    reading.cpus.reduce((all, cpu) => all + cpu[name], 0);
  const source: TraceSource = {
    ...guest,
    kind: "buffers",
    counts: entryCounts(reading),
    overruns: (reading.others ?? [])
      .reduce((all, cpu) => all + cpu.overrun, sum("overrun")),
    skippedCpus: new Set(
      reading.cpus.filter((cpu) => cpu.skipped > 0).map((cpu) => cpu.cpu),
    ),
  };
  writer.begin([source]);
  const events = reading instanceof BufferStream
    ? passOn(reading, source, writer)
    : handOver(reading, source, writer);
  const totals = { events, lost: sum("lost"), dropped: sum("overrun") };
  writer.end(totals);
  return totals;
}

/** Passes on what is read meanwhile. */
function passOn(
  stream: BufferStream,
  source: TraceSource,
  writer: TraceWriter,
): number {
  let run: EventRun | undefined;
  let events = 0;
  for (let each = stream.next(); each !== undefined; each = stream.next()) {
    const { columns, arena, from, to, loss } = each;
    if (loss !== undefined) {
      const { cpu, count } = loss;
      writer.lost({ source, cpu, count, before: columns.timeAt(from) });
    }
    run ??= new EventRun(source, columns, arena);
    run.columns = columns;
    run.arena = arena;
    run.from = from;
    run.to = to;
    run.next = each.next;
    run.nextTs = each.nextTs;
    run.tookNext = false;
    writer.events(run);
    events += to - from;
    if (!run.tookNext) continue;
    stream.skip();
    events++;
  }
  return events;
}

/** Passes on all rows in time order. */
function handOver(
  { columns, arena }: Pick<Reading, "columns" | "arena">,
  source: TraceSource,
  writer: TraceWriter,
): number {
  const merge = new TimeMerge(columns);
  const lost = new Map(columns.lost.map((loss) => [loss.row, loss]));
  const { cpu: cpus, ts } = columns;
  const run = new EventRun(source, columns, arena);
  let events = 0;
  for (let from = merge.next(); from >= 0; from = merge.next()) {
    const cpu = cpus[from];
    const loss = lost.get(from);
    if (loss !== undefined) {
      writer.lost({
        source,
        cpu: loss.cpu,
        count: loss.count,
        before: columns.timeAt(from),
      });
    }
    const to = merge.takeRun(from, from + LONGEST_RUN, lost);
    const after = merge.peek();
    run.from = from;
    run.to = to;
    run.next = merge.peekCpu(cpu);
    run.nextTs = after < 0 ? NaN : ts[after];
    run.tookNext = false;
    writer.events(run);
    events += to - from;
    if (!run.tookNext) continue;
    merge.skipCpu(cpu);
    events++;
  }
  return events;
}
