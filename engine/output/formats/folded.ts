/**
 * The format `folded`: a line for each call stack, `thread;caller;function NS`,
 * as flamegraph.pl, inferno and speedscope read it. NS is the time in the
 * innermost function, without the calls that it made, in ns.
 *
 * @module
 */
import { decimal } from "../../base/decimal.ts";
import { shown } from "../../base/shown.ts";
import type { OutputSink, TraceFormat } from "../writer.ts";
import type { GuestStacks, StackTime } from "./stack_times.ts";
import { StackWriter } from "./stack_writer.ts";

/** Text is passed on in chunks of about this many characters. */
const CHUNK = 8192;

/** Times of call stacks, one line each. */
export const FOLDED_FORMAT: TraceFormat = {
  name: "folded",
  about: "ns in each call stack, for flame graphs",
  writer: (sink) => new FoldedWriter(sink),
};

class FoldedWriter extends StackWriter {
  readonly #sink: OutputSink;
  #chunk = "";

  constructor(sink: OutputSink) {
    super(FOLDED_FORMAT.name);
    this.#sink = sink;
  }

  override end(): void {
    super.end();
    if (this.#chunk !== "") this.#sink(this.#chunk);
  }

  protected override stack(stack: StackTime, guest: GuestStacks): void {
    const { functions, self } = stack;
    let line = this.several ? `${frame(guest.target)};` : "";
    line += frame(guest.thread(stack));
    for (let i = functions.length - 1; i >= 0; i--) {
      line += `;${frame(guest.names.at(functions[i]))}`;
    }
    this.#chunk += `${line} ${decimal(self)}\n`;
    if (this.#chunk.length < CHUNK) return;
    this.#sink(this.#chunk);
    this.#chunk = "";
  }
}

/** A name as a frame: it ends at a semicolon, and a line at its end. */
function frame(name: string): string {
  return shown(name).replaceAll(";", ":");
}
