/**
 * What an instance's buffers hold, as the text of the guest's `trace` file.
 *
 * @module
 */
import { TimeMerge } from "../ftrace/ring/merge.ts";
import type { TraceMeta } from "./text/environment.ts";
import type { Reading } from "../ftrace/ring/reader.ts";
import type { EntryCounts } from "./text/header.ts";
import type { TraceTextOptions } from "./text/options.ts";
import { type TextSink, TraceText } from "./text/trace_text.ts";

/** The header's counters (kernel/trace/trace.c, get_total_entries). */
export function entryCounts(reading: Reading): EntryCounts {
  let entries = 0;
  let written = 0;
  for (const cpu of reading.cpus) {
    const count = cpu.expected - cpu.skipped;
    entries += count;
    // With events skipped, the overwritten ones were stale too.
    written += cpu.skipped > 0 ? count : count + cpu.overrun;
  }
  return { entries, written };
}

/**
 * Writes the whole text: header, then all events in time order.
 *
 * @returns how many events were written, leaves' returns not counted.
 */
export function writeReport(
  reading: Reading,
  meta: TraceMeta,
  options: TraceTextOptions,
  sink: TextSink,
): number {
  const text = new TraceText(meta, options);
  sink(text.header(entryCounts(reading)));
  return text.write(
    reading.columns,
    reading.arena,
    sink,
    new TimeMerge(reading.columns),
    {
      overruns: reading.cpus.reduce((sum, cpu) => sum + cpu.overrun, 0),
      skippedCpus: new Set(
        reading.cpus.filter((cpu) => cpu.skipped > 0).map((cpu) => cpu.cpu),
      ),
    },
  );
}
