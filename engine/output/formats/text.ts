/**
 * The format `text`: line by line the content of the guest's own `trace` file
 * or, for a live trace, of its `trace_pipe`.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { lostText, TraceText } from "../text/trace_text.ts";
import type {
  EventRun,
  Loss,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
  WriterOptions,
} from "../writer.ts";

/** Text is passed on in chunks of about this many characters. */
const CHUNK = 8192;

/**
 * The same text as in tracefs. The header is passed on as a chunk of its own;
 * every chunk ends at the end of a line.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance, readBuffers } from "xftrace/ftrace";
 * import { guestTextOptions, TEXT, traceMeta, writeBuffers } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * let text = "";
 * writeBuffers(
 *   readBuffers(instance, layout),
 *   {
 *     meta: traceMeta(instance, events, layout),
 *     options: guestTextOptions(instance),
 *   },
 *   TEXT.writer((chunk) => text += chunk),
 * );
 * console.log(text.split("\n")[0]); // # tracer: nop
 * ```
 */
export const TEXT: TraceFormat = {
  name: "text",
  about: "as the guest's trace file",
  display: true,
  single: true,
  writer: (sink, options) => new TextWriter(sink, options),
};

class TextWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #escaped: boolean;
  #text: TraceText | undefined;
  #chunk = "";

  constructor(sink: OutputSink, options: WriterOptions = {}) {
    this.#sink = sink;
    this.#escaped = options.escaped === true;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    const [source, ...others] = sources;
    if (others.length > 0) {
      throw new XftraceError(
        `the format text shows the trace of one guest, not of ${sources.length}`,
      );
    }
    const { kind, meta, options, counts } = source;
    this.#text = new TraceText(meta, options, {
      ...source,
      escaped: this.#escaped,
    });
    if (kind !== "live") this.#sink(this.#text.header(counts));
  }

  events(run: EventRun): void {
    const text = this.#text!;
    const { columns, from, to } = run;
    text.move(columns, run.arena);
    const { ts } = columns;
    const last = to - 1;
    let chunk = this.#chunk;
    for (let row = from; row < to; row++) {
      chunk += row < last
        ? text.row(row, row + 1, ts[row + 1])
        : text.row(row, run.next, run.nextTs);
      if (chunk.length >= CHUNK) {
        this.#sink(chunk);
        chunk = "";
      }
      if (!text.tookNext) continue;
      if (row < last) row++;
      else run.takeNext();
    }
    this.#chunk = chunk;
  }

  lost({ cpu, count }: Loss): void {
    this.#chunk += lostText(cpu, count);
  }

  refresh(): void {
    this.#text?.refresh();
  }

  flush(): void {
    if (this.#chunk !== "") this.#sink(this.#chunk);
    this.#chunk = "";
  }

  end(): void {
    this.flush();
  }
}
