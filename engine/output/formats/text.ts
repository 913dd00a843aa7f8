/**
 * The format `text`: line by line the content of the guest's own `trace` file
 * or, for a live trace, of its `trace_pipe`.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { bytesText } from "../text/byte_text.ts";
import { TextBuffer } from "../text/bytes/text_buffer.ts";
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

/** Text is passed on in chunks of about this many characters, or bytes. */
const CHUNK = 8192;
const CHUNK_OF_BYTES = 1 << 16;

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
  readonly #bytes: boolean;
  readonly #enough: number;
  readonly #out = new TextBuffer();
  #text: TraceText | undefined;

  constructor(sink: OutputSink, options: WriterOptions = {}) {
    this.#sink = sink;
    this.#escaped = options.escaped === true;
    this.#bytes = options.bytes === true;
    this.#enough = this.#bytes ? CHUNK_OF_BYTES : CHUNK;
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
    const out = this.#out;
    let whole = out.length;
    try {
      for (let row = from; row < to; row++) {
        if (row < last) text.write(out, row, row + 1, ts[row + 1]);
        else text.write(out, row, run.next, run.nextTs);
        whole = out.length;
        if (whole >= this.#enough) {
          whole = 0;
          this.flush();
        }
        if (!text.tookNext) continue;
        if (row < last) row++;
        else run.takeNext();
      }
    } finally {
      // Of a line that could not be written, nothing is passed on.
      out.length = whole;
    }
  }

  lost({ cpu, count }: Loss): void {
    this.#out.text(lostText(cpu, count));
  }

  refresh(): void {
    this.#text?.refresh();
  }

  flush(): void {
    const { written } = this.#out;
    this.#out.clear();
    if (written.length === 0) return;
    this.#sink(this.#bytes ? written : bytesText(written));
  }

  end(): void {
    this.flush();
  }
}
