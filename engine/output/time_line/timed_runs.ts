/**
 * The events of one source on the time line of several: in order, and with times
 * of the clock that all have in common.
 *
 * @module
 */
import { EventColumns, type PageArena } from "../../ftrace/ring/columns.ts";
import type { EventQueue } from "../../ftrace/ring/event_queue.ts";
import type { SpoolReader } from "../../ftrace/ring/spool.ts";
import type { DatTrace } from "../../tracedat/dat_trace.ts";

/** The most rows of a run. */
const LONGEST_RUN = 4096;

/** Events that are missing before a run. */
export interface TimedLoss {
  readonly cpu: number;
  /** How many; -1 if unknown. */
  readonly count: number;
}

/**
 * Consecutive events of one CPU. Times are ns since the epoch of the columns,
 * which is the same for all sources.
 */
export interface TimedRun {
  readonly columns: EventColumns;
  readonly arena: PageArena;
  /** The first row; goes on as rows are taken. */
  from: number;
  /** One past the last row. */
  readonly to: number;
  readonly losses: readonly TimedLoss[];
  /** Whether names of threads may have changed before it. */
  readonly refresh: boolean;
  /** Whether its losses and names have been passed on. */
  told?: boolean;
}

/** What is known when a source has ended. */
export interface TimedEnd {
  readonly lost: number;
  readonly dropped: number;
}

/** A source: run after run, each valid until the next one is asked for. */
export type TimedRuns = Generator<TimedRun, TimedEnd, undefined>;

/**
 * The events that a collector has kept.
 *
 * @param spool opened with the common epoch
 * @param map from times in it to the common clock, both ns since the epoch
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
export function* spoolRuns(
  spool: SpoolReader,
  map: (ts: number) => number,
): TimedRuns {
  /** How many rows of each queue have times of the common clock. */
  const mapped = new Map<EventQueue, number>();
  let comms = 0;
  for (let more = true; more;) {
    more = spool.poll();
    const refresh = spool.comms.size !== comms;
    comms = spool.comms.size;
    let limit = Infinity;
    for (const queue of spool.queues) {
      const { ts, length } = queue.columns;
      for (let row = mapped.get(queue) ?? 0; row < length; row++) {
        // Times are whole ns.
        ts[row] = Math.round(map(ts[row]));
      }
      mapped.set(queue, length);
      if (more) limit = Math.min(limit, map(queue.complete));
    }
    yield* queueRuns(spool.queues, limit, refresh);
    for (const queue of spool.queues) mapped.set(queue, queue.columns.length);
  }
  return { lost: spool.lost, dropped: spool.dropped };
}

/** The rows of queues in order of time, up to a limit; then they are released. */
function* queueRuns(
  queues: readonly EventQueue[],
  limit: number,
  refresh: boolean,
): Generator<TimedRun, void, undefined> {
  const heads = queues.map(({ head }) => head);
  const told = queues.map(() => 0);
  const timeOf = (i: number) =>
    heads[i] < queues[i].columns.length
      ? queues[i].columns.ts[heads[i]]
      : Infinity;
  for (;;) {
    let best = -1;
    let time = Infinity;
    let until = limit;
    for (let i = 0; i < queues.length; i++) {
      const own = timeOf(i);
      if (own < time) {
        if (best >= 0) until = Math.min(limit, time);
        best = i;
        time = own;
      } else if (own < until) until = own;
    }
    if (best < 0 || time > limit) break;
    const { columns, arena } = queues[best];
    const { ts, lost } = columns;
    const from = heads[best];
    while (told[best] < lost.length && lost[told[best]].row < from) {
      told[best]++;
    }
    const losses: TimedLoss[] = [];
    while (told[best] < lost.length && lost[told[best]].row === from) {
      losses.push(lost[told[best]++]);
    }
    const stop = Math.min(
      columns.length,
      from + LONGEST_RUN,
      lost[told[best]]?.row ?? Infinity,
    );
    let to = from + 1;
    while (to < stop && ts[to] <= until) to++;
    heads[best] = to;
    yield { columns, arena, from, to, losses, refresh };
    refresh = false;
  }
  queues.forEach((queue, i) => queue.release(heads[i]));
}

/**
 * The events of a trace.dat.
 *
 * @param epoch the common one
 * @param map from its times to the common clock, both ns since the epoch
 *
 * @example
 * ```ts ignore
 * import { DatTrace } from "xftrace/ftrace";
 * import { datRuns } from "xftrace/output";
 *
 * using host = DatTrace.open("host.dat");
 * for (const { columns, from, to } of datRuns(host, 0n, (ts) => ts)) {
 *   console.log(columns.timeAt(from), to - from);
 * }
 * ```
 */
export function* datRuns(
  trace: DatTrace,
  epoch: bigint,
  map: (ts: number) => number,
): TimedRuns {
  let losses: TimedLoss[] = [];
  const shared = new Map<EventColumns, EventColumns>();
  const runs = trace.runs();
  for (;;) {
    const { done, value } = runs.next();
    if (done === true) return { lost: value.lost, dropped: 0 };
    if ("before" in value) {
      losses.push({ cpu: value.cpu, count: value.count });
      continue;
    }
    const { columns, arena, from, to } = value;
    let own = shared.get(columns);
    if (own === undefined) {
      own = new EventColumns(epoch, 16);
      shared.set(columns, own);
    }
    own.share(columns);
    const shift = Number(columns.epoch - epoch);
    const { ts } = own;
    for (let row = from; row < to; row++) {
      ts[row] = Math.round(map(ts[row] + shift));
    }
    yield { columns: own, arena, from, to, losses, refresh: false };
    losses = [];
  }
}
