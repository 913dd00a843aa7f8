/**
 * A trace while it is written: how far it is, and what its format could not
 * carry.
 *
 * @module
 */
import type { OutputSink, TraceFormat, WriterOptions } from "xftrace/output";
import { count, note, Progress, size } from "../terminal.ts";

/** Writes in one format, and shows how far it is on a terminal. */
export class Writing implements Disposable {
  /** Takes the trace. */
  readonly writer: ReturnType<TraceFormat["writer"]>;
  /** Takes what is written without a writer. */
  readonly sink: OutputSink;
  readonly #writer: ReturnType<TraceFormat["writer"]>;
  readonly #progress: Progress;
  #events = 0;
  #bytes = 0;

  /** @param quiet when the trace itself appears on the terminal */
  constructor(
    format: TraceFormat,
    sink: OutputSink,
    { how, quiet = false }: {
      readonly how?: WriterOptions;
      readonly quiet?: boolean;
    } = {},
  ) {
    this.#progress = new Progress({ quiet });
    this.sink = (chunk) => {
      sink(chunk);
      this.#bytes += chunk.length;
      this.#show();
    };
    const writer = this.#writer = format.writer(this.sink, how);
    this.writer = {
      begin: (sources) => writer.begin(sources),
      events: (run) => {
        writer.events(run);
        this.#events += run.to - run.from;
        this.#show();
      },
      lost: (loss) => writer.lost(loss),
      refresh: () => writer.refresh?.(),
      flush: () => writer.flush?.(),
      end: (totals) => writer.end(totals),
      leftOut: () => writer.leftOut?.() ?? [],
    };
  }

  /** Ends the line, and says what the format could not carry. */
  tellLeftOut(): void {
    this[Symbol.dispose]();
    for (const sentence of this.#writer.leftOut?.() ?? []) note(sentence);
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
  }

  #show(): void {
    this.#progress.update(() =>
      [
        ...(this.#events > 0 ? [`${count(this.#events)} events`] : []),
        ...(this.#bytes > 0 ? [`${size(this.#bytes)} written`] : []),
      ].join(", ")
    );
  }
}
