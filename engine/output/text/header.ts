/**
 * Renders the lines above a trace (kernel/trace/trace.c and
 * trace_functions_graph.c: print_header and the functions that it calls).
 *
 * @module
 */

import type { TraceMeta } from "./environment.ts";
import type { EntryFlags } from "./guest/entry_flags.ts";
import type { GraphOptions, TraceTextOptions } from "./options.ts";

/** The counters shown in the header. */
export interface EntryCounts {
  /** Entries in the buffers of all CPUs. */
  readonly entries: number;
  /** Entries written: those in the buffers, and those overwritten. */
  readonly written: number;
}

/**
 * The header of the file `trace`, from `# tracer:` on.
 *
 * @param counts `undefined` of a trace that was collected over a while, of
 *   which the buffers' counters say nothing
 */
export function traceHeader(
  meta: TraceMeta,
  options: TraceTextOptions,
  counts: EntryCounts | undefined,
): string {
  const start = `# tracer: ${meta.tracer}\n#\n`;
  const own = isRealTime(meta) ? REAL_TIME_HEADERS[meta.tracer] : undefined;
  if (own !== undefined) return start + REAL_TIME_LEGEND + own;
  if (!options.contextInfo) return start;
  if (meta.tracer === "function_graph") {
    return start + graphHeader(meta, options, counts);
  }
  return start + defaultHeader(meta, options, counts);
}

function defaultHeader(
  meta: TraceMeta,
  options: TraceTextOptions,
  counts: EntryCounts | undefined,
): string {
  if (options.latencyFormat) {
    // There is no header at all when the buffers are empty.
    if (counts === undefined || counts.entries === 0) return "";
    return latencyHeader(meta, counts) +
      (options.verbose ? "" : latencyLegend(meta.entryFlags()));
  }
  if (options.verbose) return "";
  const info = counts === undefined
    ? ""
    : `# entries-in-buffer/entries-written: ${counts.entries}/${counts.written}` +
      `   #P:${meta.onlineCpus}\n#\n`;
  return info +
    (options.irqInfo
      ? legendWithFlags(options.recordTgid, meta.entryFlags())
      : legend(options.recordTgid));
}

/** Whether the kernel is PREEMPT_RT. */
function isRealTime(meta: TraceMeta): boolean {
  return /rt/i.test(meta.latency?.preemptModel ?? "");
}

/**
 * Tracers with headers of their own (print_header in trace_osnoise.c), as
 * PREEMPT_RT kernels have them: the same whatever columns their flags have (seen
 * on 6.1.192-rt and 6.12.95-rt).
 */
const REAL_TIME_LEGEND =
  "#                                _-------=> irqs-off\n" +
  "#                               / _------=> need-resched\n" +
  "#                              | / _-----=> need-resched-lazy\n" +
  "#                              || / _----=> hardirq/softirq\n" +
  "#                              ||| / _---=> preempt-depth\n" +
  "#                              |||| / _--=> preempt-lazy-depth\n" +
  "#                              ||||| / _-=> migrate-disable\n";

const REAL_TIME_HEADERS: Readonly<Record<string, string>> = {
  timerlat: "#                              |||||| /\n" +
    "#                              |||||||             ACTIVATION\n" +
    "#           TASK-PID      CPU# |||||||   TIMESTAMP    ID            " +
    "CONTEXT                LATENCY\n" +
    "#              | |         |   |||||||      |         |                  " +
    "|                       |\n",
  osnoise:
    "#                              |||||| /                                               MAX\n" +
    "#                              ||||| /                                             SINGLE      Interference counters:\n" +
    "#                              |||||||               RUNTIME      NOISE  %% OF CPU  NOISE    +-----------------------------+\n" +
    "#           TASK-PID      CPU# |||||||   TIMESTAMP    IN US       IN US  AVAILABLE  IN US     HW    NMI    IRQ   SIRQ THREAD\n" +
    "#              | |         |   |||||||      |           |             |    |            |      |      |      |      |      |\n",
};

function legend(tgid: boolean): string {
  const [a, b] = tgid ? ["   TGID   ", "     |    "] : ["", ""];
  return `#           TASK-PID    ${a} CPU#     TIMESTAMP  FUNCTION\n` +
    `#              | |      ${b}   |         |         |\n`;
}

/** What the first of the flags is called: since it shows both (5.17). */
function irqsOff({ bhOff }: EntryFlags): string {
  return bhOff === 0 ? "irqs-off" : "irqs-off/BH-disabled";
}

function legendWithFlags(tgid: boolean, flags: EntryFlags): string {
  const wide = tgid ? 12 : 2;
  const space = " ".repeat(wide);
  const task = "     TGID   ".substring(0, wide);
  const bar = "       |    ".substring(0, wide);
  const lead = "#                            " + space;
  if (flags.lazyCountAt !== 0) {
    return `${lead}  _-------=> irqs-off/BH-disabled\n` +
      `${lead} / _------=> need-resched\n` +
      `${lead}| / _-----=> need-resched-lazy\n` +
      `${lead}|| / _----=> hardirq/softirq\n` +
      `${lead}||| / _---=> preempt-depth\n` +
      `${lead}|||| / _--=> preempt-lazy-depth\n` +
      `${lead}||||| / _-=> migrate-disable\n` +
      `${lead}|||||| /     delay\n` +
      `#           TASK-PID  ${task} CPU#  |||||||  TIMESTAMP  FUNCTION\n` +
      `#              | |    ${bar}   |   |||||||      |         |\n`;
  }
  const start = `${lead}  _-----=> ${irqsOff(flags)}\n` +
    `${lead} / _----=> need-resched\n` +
    `${lead}| / _---=> hardirq/softirq\n` +
    `${lead}|| / _--=> preempt-depth\n`;
  if (!flags.migrateCount) {
    return start +
      `${lead}||| /     delay\n` +
      `#           TASK-PID  ${task} CPU#  ||||   TIMESTAMP  FUNCTION\n` +
      `#              | |    ${bar}   |   ||||      |         |\n`;
  }
  return start +
    `${lead}||| / _-=> migrate-disable\n` +
    `${lead}|||| /     delay\n` +
    `#           TASK-PID  ${task} CPU#  |||||  TIMESTAMP  FUNCTION\n` +
    `#              | |    ${bar}   |   |||||     |         |\n`;
}

function latencyLegend(flags: EntryFlags): string {
  if (flags.lazyCountAt !== 0) return LAZY_LATENCY_LEGEND;
  const irqs = irqsOff(flags);
  const start = "#                    _------=> CPU#            \n" +
    `#                   / _-----=> ${irqs.padEnd(16)}\n` +
    "#                  | / _----=> need-resched    \n" +
    "#                  || / _---=> hardirq/softirq \n" +
    "#                  ||| / _--=> preempt-depth   \n";
  if (!flags.migrateCount) {
    return start + "#                  |||| /     delay            \n" +
      "#  cmd     pid     ||||| time  |   caller      \n" +
      "#     \\   /        |||||  \\    |   /         \n";
  }
  return start + "#                  |||| / _-=> migrate-disable \n" +
    "#                  ||||| /     delay           \n" +
    "#  cmd     pid     |||||| time  |   caller     \n" +
    "#     \\   /        ||||||  \\    |    /       \n";
}

const LAZY_LATENCY_LEGEND =
  "#                    _--------=> CPU#            \n" +
  "#                   / _-------=> irqs-off/BH-disabled\n" +
  "#                  | / _------=> need-resched    \n" +
  "#                  || / _-----=> need-resched-lazy\n" +
  "#                  ||| / _----=> hardirq/softirq \n" +
  "#                  |||| / _---=> preempt-depth   \n" +
  "#                  ||||| / _--=> preempt-lazy-depth\n" +
  "#                  |||||| / _-=> migrate-disable \n" +
  "#                  ||||||| /     delay           \n" +
  "#  cmd     pid     |||||||| time  |   caller     \n" +
  "#     \\   /        ||||||||  \\    |    /       \n";

/** `print_trace_header`. */
function latencyHeader(meta: TraceMeta, counts: EntryCounts): string {
  const info = meta.latency;
  // Cut and not rounded: `nsecs_to_usecs`.
  const latency = BigInt.asUintN(64, info?.latency ?? 0n) / 1000n;
  let text =
    `# ${meta.tracer} latency trace v1.1.5 on ${meta.release ?? "unknown"}\n` +
    "# " + "-".repeat(68) + "\n" +
    `# latency: ${latency} us, #${counts.entries}/${counts.written}, ` +
    `CPU#${info?.cpu ?? 0} | (M:${info?.preemptModel ?? "unknown"} ` +
    `VP:0, KP:0, SP:0 HP:0 #P:${meta.onlineCpus})\n` +
    "#    -----------------\n" +
    `#    | task: ${info?.comm ?? ""}-${info?.pid ?? 0} ` +
    `(uid:${info?.uid ?? 0} nice:${info?.nice ?? 0} ` +
    `policy:${info?.policy ?? 0} rt_prio:${info?.rtPriority ?? 0})\n` +
    "#    -----------------\n";
  if (info !== undefined && info.criticalStart !== 0n) {
    text += `#  => started at: ${name(meta, info.criticalStart)}` +
      `\n#  => ended at:   ${name(meta, info.criticalEnd)}\n#\n`;
  }
  return text + "#\n";
}

function name(meta: TraceMeta, address: bigint): string {
  return meta.symbols.bare(
    Number(address & 0xffffffffn),
    Number(address >> 32n & 0xffffffffn),
  );
}

function graphHeader(
  meta: TraceMeta,
  options: TraceTextOptions,
  counts: EntryCounts | undefined,
): string {
  const latency = options.latencyFormat;
  let text = "";
  if (latency) {
    if (counts === undefined || counts.entries === 0) return "";
    text += latencyHeader(meta, counts) + graphLatencyLegend(options.graph);
  }
  return text + graphColumns(options.graph, latency);
}

function graphLatencyLegend(graph: GraphOptions): string {
  const size = (graph.abstime ? 16 : 0) + (graph.reltime ? 16 : 0) +
    (graph.cpu ? 4 : 0) + (graph.proc ? 17 : 0);
  // The kernel's string of spaces is only 37 characters long.
  const lead = "#" + " ".repeat(Math.min(size, 37));
  return `${lead}  _-----=> irqs-off        \n` +
    `${lead} / _----=> need-resched    \n` +
    `${lead}| / _---=> hardirq/softirq \n` +
    `${lead}|| / _--=> preempt-depth   \n` +
    `${lead}||| /                      \n`;
}

function graphColumns(graph: GraphOptions, latency: boolean): string {
  let first = "#";
  let second = "#";
  const column = (shown: boolean, above: string, below: string) => {
    if (!shown) return;
    first += above;
    second += below;
  };
  column(graph.abstime, "     TIME       ", "      |         ");
  column(graph.reltime, "   REL TIME     ", "      |         ");
  column(graph.cpu, " CPU", " |  ");
  column(graph.proc, "  TASK/PID       ", "   |    |        ");
  column(latency, "||||   ", "||||   ");
  column(graph.duration, "  DURATION   ", "   |   |      ");
  return first + "               FUNCTION CALLS\n" +
    second + "               |   |   |   |\n";
}
