/**
 * Sums of a live trace for a view that is refreshed: functions, system calls by
 * process, events, and what of each was in the last interval.
 *
 * @module
 */
import { KIND } from "../../ftrace/ring/columns.ts";
import { integerAt } from "../../ftrace/ring/field_values.ts";
import { EventTypes } from "../formats/event_types.ts";
import { GuestCalls } from "../formats/html_calls.ts";
import { PageNames, ThreadList } from "../formats/html_names.ts";
import { GuestLines } from "../formats/jsonl.ts";
import type { EventRun, Loss, TraceSource, TraceWriter } from "../writer.ts";
import { RecentCalls } from "./recent.ts";
import {
  type EventCount,
  RecentFunctions,
  RecentSyscalls,
} from "./recent_sums.ts";
import { snapshotOf, type TopSnapshot } from "./snapshot.ts";

/** Number of types of events; the kernel's ids have 16 bits. */
const MOST_TYPES = 65_536;

/** One guest. */
interface Guest {
  readonly source: TraceSource;
  readonly calls: GuestCalls;
  readonly lines: GuestLines;
  readonly types: EventTypes;
}

/**
 * Takes the events of a live trace of one guest, and says at any time what there
 * was.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { Follower, openInstance } from "xftrace/ftrace";
 * import { guestTextOptions, LiveTrace, TopSums, traceMeta } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * const follower = new Follower(instance, layout, { fromBuffer: true });
 * const sums = new TopSums();
 * const live = new LiveTrace(follower, {
 *   meta: traceMeta(instance, events, layout),
 *   options: guestTextOptions(instance),
 * }, sums);
 * follower.poll();
 * live.drain(true);
 * console.log(sums.snapshot().functions.length > 0); // true
 * ```
 */
export class TopSums implements TraceWriter {
  readonly #names = new PageNames();
  readonly #functions = new RecentFunctions(this.#names);
  readonly #syscalls = new RecentSyscalls();
  readonly #syscallFunctions = new RecentSyscalls();
  readonly #events = new Map<number, EventCount>();
  readonly #all = new RecentCalls();
  readonly #lost = new Map<number, number>();
  #threads = new ThreadList([]);
  #guest: Guest | undefined;
  #count = 0;
  #interval = 0;
  #intervalMs = 0;

  /** Number of events so far. */
  get count(): number {
    return this.#count;
  }

  begin([source]: readonly [TraceSource, ...TraceSource[]]): void {
    this.#threads = new ThreadList([source]);
    const calls = new GuestCalls(
      source,
      this.#functions,
      this.#names,
      this.#threads,
      (thread, name, duration) =>
        this.#syscallFunctions.call(
          this.#threads.processOf(thread),
          name,
          duration,
        ),
    );
    const lines = new GuestLines(source, "");
    const types = new EventTypes(source, this.#names, lines);
    this.#guest = { source, calls, lines, types };
  }

  events(run: EventRun): void {
    const guest = this.#guest!;
    const { columns, from, to } = run;
    this.#count += to - from;
    guest.calls.take(run, from, to);
    for (let row = from; row < to; row++) {
      if (columns.kind[row] === KIND.other) this.#event(guest, run, row);
    }
  }

  /** Counts an event that is no call; one of a system call is also timed. */
  #event({ source, types }: Guest, run: EventRun, row: number): void {
    const { columns } = run;
    const { name, call, exit, result } = types.of(run, row);
    let known = this.#events.get(name);
    if (known === undefined) {
      if (this.#events.size >= MOST_TYPES) return;
      known = { calls: 0, recent: new RecentCalls() };
      this.#events.set(name, known);
    }
    known.calls++;
    known.recent.add(this.#interval, 0, 0);
    if (call === undefined) return;
    const ts = columns.ts[row];
    const threads = this.#threads;
    const thread = threads.index(0, source, columns.pid[row], columns.cpu[row]);
    if (exit) {
      const value = result === undefined ? NaN : integerAt(run, row, result);
      this.#syscalls.left(thread, call, ts, value);
    } else {
      this.#syscalls.entered(thread, threads.processOf(thread), call, ts, "");
    }
  }

  lost({ cpu, count }: Loss): void {
    this.#lost.set(cpu, (this.#lost.get(cpu) ?? 0) + Math.max(0, count));
  }

  refresh(): void {
    this.#threads.refresh();
    this.#guest?.lines.refresh();
  }

  end(): void {
    // What has not returned is not counted.
  }

  /**
   * Ends an interval.
   *
   * @param ms how long it took
   */
  tick(ms: number): void {
    this.#intervalMs = ms;
    this.#interval++;
    this.#functions.interval = this.#interval;
    this.#syscalls.interval = this.#interval;
    this.#syscallFunctions.interval = this.#interval;
  }

  /** What there was, in all and in the last whole interval. */
  snapshot(): TopSnapshot {
    return snapshotOf({
      interval: this.#interval - 1,
      intervalMs: this.#intervalMs,
      count: this.#count,
      names: this.#names,
      threads: this.#threads,
      functions: this.#functions,
      syscalls: this.#syscalls.empty ? this.#syscallFunctions : this.#syscalls,
      events: this.#events,
      lost: this.#lost,
    });
  }
}
