/**
 * What happens in a guest, handed to a writer as it happens.
 *
 * @module
 */
import type { Follower } from "../ftrace/ring/follower.ts";
import { RunBuilder } from "./run_builder.ts";
import type { DescribedGuest } from "./write_buffers.ts";
import type { TraceSource, TraceTotals, TraceWriter } from "./writer.ts";

/** A live trace on its way to a writer. */
export class LiveTrace {
  readonly #follower: Follower;
  readonly #writer: TraceWriter;
  readonly #runs: RunBuilder;

  /** Begins the writer's work. */
  constructor(follower: Follower, guest: DescribedGuest, writer: TraceWriter) {
    const source: TraceSource = { ...guest, kind: "live" };
    this.#follower = follower;
    this.#writer = writer;
    this.#runs = new RunBuilder(source, writer);
    writer.begin([source]);
  }

  /**
   * Hands over what can no longer be preceded by an event that is still to
   * come. To be called after each poll of the follower.
   *
   * @param all hand over everything that was read: at the end
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

  /** Threads' names may have changed. */
  refresh(): void {
    this.#writer.refresh?.();
  }

  /** Hands over the rest, and ends the writer's work. */
  end(): TraceTotals {
    this.drain(true);
    const { lost, dropped } = this.#follower.totals();
    const totals = { events: this.#runs.count, lost, dropped };
    this.#writer.end(totals);
    return totals;
  }
}
