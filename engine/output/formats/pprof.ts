/**
 * The format `pprof`: a profile for `go tool pprof` and what else reads
 * profile.proto, compressed with gzip. Each sample is a call stack of a thread,
 * with the number of calls of its innermost function, and the ns spent in that
 * function without the calls that it made.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import {
  emptyTableToken,
  Profile,
  type SampleInput,
  StringTable,
} from "pprof-format";
import type {
  EventRun,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
} from "../writer.ts";
import { noCalls } from "./call_names.ts";
import { GuestStacks, type StackTime } from "./stack_times.ts";

/** Samples are encoded in batches of this many. */
const BATCH = 4096;
/** Encoded bytes are compressed and passed on when there are so many. */
const PIECE = 8 << 20;

/** Times of call stacks as a profile. */
export const PPROF: TraceFormat = {
  name: "pprof",
  about: "the same as a profile for pprof",
  binary: true,
  writer: (sink) => new PprofWriter(sink),
};

class PprofWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #guests = new Map<TraceSource, GuestStacks>();
  /** For each guest, by a function's index: its id in the profile, from 1. */
  readonly #ids = new Map<GuestStacks, number[]>();
  readonly #strings = new StringTable();
  /** Name and GVA of each function of the profile. */
  readonly #functions: { name: number; gva: bigint }[] = [];
  #samples: SampleInput[] = [];
  /** Encoded samples. A message may be split: its parts are concatenated. */
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #first = NaN;
  #last = NaN;

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) {
      const guest = new GuestStacks(
        source,
        (stack, guest) => this.#sample(stack, guest),
      );
      this.#guests.set(source, guest);
      this.#ids.set(guest, []);
    }
  }

  events({ source, columns, from, to }: EventRun): void {
    this.#guests.get(source)!.times.take(columns, from, to);
    const epoch = Number(columns.epoch);
    if (this.#first !== this.#first) this.#first = epoch + columns.ts[from];
    this.#last = epoch + columns.ts[to - 1];
  }

  lost(): void {
    // A call whose entry or return is missing does not count.
  }

  end(): void {
    let whole = 0;
    for (const guest of this.#guests.values()) whole += guest.end();
    if (whole === 0) throw noCalls(PPROF.name);
    this.#encodeSamples();
    this.#parts.push(this.#rest());
    this.#passOn();
  }

  #sample(stack: StackTime, guest: GuestStacks): void {
    const text = (key: string, value: string) => ({
      key: this.#strings.dedup(key),
      str: this.#strings.dedup(value),
    });
    const label = [text("thread", guest.thread(stack))];
    if (this.#guests.size > 1) label.push(text("target", guest.target));
    this.#samples.push({
      locationId: stack.functions.map((index) => this.#location(guest, index)),
      value: [stack.calls, stack.self],
      label,
    });
    if (this.#samples.length >= BATCH) this.#encodeSamples();
  }

  #location(guest: GuestStacks, index: number): number {
    return this.#ids.get(guest)![index] ??= this.#functions.push({
      name: this.#strings.dedup(guest.names.at(index)),
      gva: guest.address(index),
    });
  }

  #encodeSamples(): void {
    const part = new Profile({
      sample: this.#samples,
      stringTable: new StringTable(emptyTableToken),
    }).encode();
    this.#samples = [];
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes >= PIECE) this.#passOn();
  }

  /** Everything but the samples. */
  #rest(): Uint8Array {
    const value = (type: string, unit: string) => ({
      type: this.#strings.dedup(type),
      unit: this.#strings.dedup(unit),
    });
    return new Profile({
      sampleType: [value("calls", "count"), value("time", "nanoseconds")],
      defaultSampleType: this.#strings.dedup("time"),
      location: this.#functions.map(({ gva }, i) => ({
        id: i + 1,
        address: gva,
        line: [{ functionId: i + 1 }],
      })),
      function: this.#functions.map(({ name }, i) => ({
        id: i + 1,
        name,
        systemName: name,
      })),
      durationNanos: Math.max(0, this.#last - this.#first),
      stringTable: this.#strings,
    }).encode();
  }

  /** Members of a gzip file may be concatenated. */
  #passOn(): void {
    const all = new Uint8Array(
      this.#parts.reduce((sum, part) => sum + part.length, 0),
    );
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#sink(new Uint8Array(gzipSync(all)));
    this.#parts = [];
    this.#bytes = 0;
  }
}
