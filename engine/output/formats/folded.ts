/**
 * The format `folded`: a line for each call stack, `thread;caller;function NS`,
 * as flamegraph.pl, inferno and speedscope read it. NS is the time in the
 * innermost function, without the calls that it made, in ns.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import type {
  EventRun,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
} from "../writer.ts";
import { noCalls } from "./call_names.ts";
import { GuestStacks, type StackTime } from "./stack_times.ts";

/** Text is passed on in chunks of about this many characters. */
const CHUNK = 65536;

/** Times of call stacks, one line each. */
export const FOLDED_FORMAT: TraceFormat = {
  name: "folded",
  about: "ns in each call stack, for flame graphs",
  writer: (sink) => new FoldedWriter(sink),
};

class FoldedWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #guests = new Map<TraceSource, GuestStacks>();
  #chunk = "";

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) {
      const guest = new GuestStacks(
        source,
        (stack, guest) => this.#line(stack, guest),
      );
      this.#guests.set(source, guest);
    }
  }

  events({ source, columns, from, to }: EventRun): void {
    this.#guests.get(source)!.times.take(columns, from, to);
  }

  lost(): void {
    // A call whose entry or return is missing does not count.
  }

  end(): void {
    let whole = 0;
    for (const guest of this.#guests.values()) whole += guest.end();
    if (whole === 0) throw noCalls(FOLDED_FORMAT.name);
    if (this.#chunk !== "") this.#sink(this.#chunk);
  }

  #line(stack: StackTime, guest: GuestStacks): void {
    const { functions, self } = stack;
    let line = this.#guests.size > 1 ? `${frame(guest.target)};` : "";
    line += frame(guest.thread(stack));
    for (let i = functions.length - 1; i >= 0; i--) {
      line += `;${frame(guest.names.at(functions[i]))}`;
    }
    this.#chunk += `${line} ${self}\n`;
    if (this.#chunk.length < CHUNK) return;
    this.#sink(this.#chunk);
    this.#chunk = "";
  }
}

/** A name as a frame: it ends at a semicolon, and a line at its end. */
function frame(name: string): string {
  return shown(name).replaceAll(";", ":");
}
