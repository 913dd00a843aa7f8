/**
 * Passes the events of a live guest to a writer as they happen.
 *
 * @module
 */
import type { Follower } from "../ftrace/ring/follower.ts";
import { RunBuilder } from "./run_builder.ts";
import type { DescribedGuest } from "./write_buffers.ts";
import type { TraceSource, TraceTotals, TraceWriter } from "./writer.ts";

/**
 * A live trace that is passed to a writer.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { Follower, openInstance } from "xftrace/ftrace";
 * import { guestTextOptions, LiveTrace, TEXT, traceMeta } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * const follower = new Follower(instance, layout, { fromBuffer: true });
 * let text = "";
 * const live = new LiveTrace(
 *   follower,
 *   {
 *     meta: traceMeta(instance, events, layout),
 *     options: guestTextOptions(instance),
 *   },
 *   TEXT.writer((chunk) => text += chunk),
 * );
 * follower.poll();
 * live.drain();
 * console.log(live.end().events, text.length);
 * ```
 */
export class LiveTrace {
  readonly #follower: Follower;
  readonly #writer: TraceWriter;
  readonly #runs: RunBuilder;

  /** Begins the trace. */
  constructor(follower: Follower, guest: DescribedGuest, writer: TraceWriter) {
    const source: TraceSource = { ...guest, kind: "live" };
    this.#follower = follower;
    this.#writer = writer;
    this.#runs = new RunBuilder(source, writer);
    writer.begin([source]);
  }

  /**
   * Passes on the events before which no other event can still arrive. To be
   * called after each poll of the follower.
   *
   * @param all pass on everything that was read, at the end of the trace
   */
  drain(all = false): void {
    const runs = this.#runs;
    this.#follower.drain(
      (columns, row, arena) => runs.add(columns, row, arena),
      { all },
    );
    runs.flush();
    this.#writer.flush?.();
  }

  /** To be called when the names of threads may have changed. */
  refresh(): void {
    this.#writer.refresh?.();
  }

  /** Passes on the remaining events, and ends the trace. */
  end(): TraceTotals {
    this.drain(true);
    const { lost, dropped } = this.#follower.totals();
    const totals = { events: this.#runs.count, lost, dropped };
    this.#writer.end(totals);
    return totals;
  }
}
