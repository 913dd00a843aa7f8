/**
 * Writes several sources on one time line.
 *
 * @module
 */
import type { EventColumns } from "../../ftrace/ring/columns.ts";
import {
  EventRun,
  type TraceSource,
  type TraceTotals,
  type TraceWriter,
} from "../writer.ts";
import { earliest } from "./earliest.ts";
import type { TimedEnd, TimedRun, TimedRuns } from "./timed_runs.ts";

/** A source of a time line. */
export interface TimedSource {
  readonly source: TraceSource;
  readonly runs: TimedRuns;
}

/** A source, and its run that comes next. */
class Head {
  readonly source: TraceSource;
  readonly #runs: TimedRuns;
  run: TimedRun | undefined;
  end: TimedEnd | undefined;

  constructor({ source, runs }: TimedSource) {
    this.source = source;
    this.#runs = runs;
    this.next();
  }

  /** The time of its next event; Infinity if there is none. */
  get time(): number {
    const { run } = this;
    return run === undefined ? Infinity : run.columns.ts[run.from];
  }

  next(): void {
    const { done, value } = this.#runs.next();
    if (done === true) {
      this.run = undefined;
      this.end = value;
    } else this.run = value;
  }
}

/**
 * Writes the events of all sources in order of time: begins the trace, passes
 * them on, and ends it.
 *
 * @throws {XftraceError} when the format cannot show several sources.
 *
 * @example
 * ```ts ignore
 * import { DatTrace, openInstance, SpoolReader } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 * import {
 *   datRuns,
 *   datSource,
 *   formatNamed,
 *   guestTextOptions,
 *   spoolRuns,
 *   traceMeta,
 *   writeTimeLine,
 * } from "xftrace/output";
 *
 * await using guest = await open("qemu:web1");
 * const { instance, events, layout } = openInstance(guest.session);
 * using spool = new SpoolReader("web1.spool", layout, 0n);
 * using host = DatTrace.open("host.dat");
 * writeTimeLine([
 *   {
 *     source: {
 *       kind: "collected",
 *       meta: traceMeta(instance, events, layout),
 *       options: guestTextOptions(instance),
 *     },
 *     runs: spoolRuns(spool, (ts) => ts + 1e9),
 *   },
 *   { source: datSource(host, "host"), runs: datRuns(host, 0n, (ts) => ts) },
 * ], formatNamed("jsonl").writer((chunk) => console.log(chunk)));
 * ```
 */
export function writeTimeLine(
  sources: readonly [TimedSource, ...TimedSource[]],
  writer: TraceWriter,
): TraceTotals {
  const [first, ...others] = sources.map(({ source }) => source);
  writer.begin([first, ...others]);
  const heads = sources.map((each) => new Head(each));
  let run: EventRun | undefined;
  let events = 0;
  for (;;) {
    const { head: best, until } = earliest(heads);
    if (best?.run === undefined) break;
    const { run: taken, source } = best;
    tell(writer, source, taken);
    const { columns, arena, from } = taken;
    const to = lastUntil(columns, from, taken.to, until);
    run ??= new EventRun(source, columns, arena);
    Object.assign(run, { source, columns, arena, from, to, tookNext: false });
    writer.events(run);
    events += to - from;
    taken.from = to;
    if (to === taken.to) best.next();
  }
  let lost = 0;
  let dropped = 0;
  for (const { end } of heads) {
    lost += end?.lost ?? 0;
    dropped += end?.dropped ?? 0;
  }
  const totals = { events, lost, dropped };
  writer.end(totals);
  return totals;
}

/** Passes on what happened before the first event of a run, once. */
function tell(
  writer: TraceWriter,
  source: TraceSource,
  run: TimedRun,
): void {
  if (run.told === true) return;
  run.told = true;
  if (run.refresh) writer.refresh?.();
  for (const { cpu, count } of run.losses) {
    const before = run.columns.timeAt(run.from);
    writer.lost({ source, cpu, count, before });
  }
}

/** One past the last row of a run that is not later than a time. */
function lastUntil(
  { ts }: EventColumns,
  from: number,
  to: number,
  until: number,
): number {
  let row = from + 1;
  while (row < to && ts[row] <= until) row++;
  return row;
}
