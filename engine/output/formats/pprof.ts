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
import type { EventRun, OutputSink, TraceFormat } from "../writer.ts";
import type { GuestStacks, StackTime } from "./stack_times.ts";
import { StackWriter } from "./stack_writer.ts";

/** Samples are encoded in batches of this many: what waits is moved by V8. */
const BATCH = 128;
/** Encoded bytes are compressed and passed on when there are so many. */
const PIECE = 1 << 20;

/** Times of call stacks as a profile. */
export const PPROF: TraceFormat = {
  name: "pprof",
  about: "the same as a profile for pprof",
  binary: true,
  writer: (sink) => new PprofWriter(sink),
};

class PprofWriter extends StackWriter {
  readonly #sink: OutputSink;
  /** For each guest, by a function's index: its id in the profile, from 1. */
  readonly #ids = new Map<GuestStacks, number[]>();
  readonly #strings = new StringTable();
  /** Name and GVA of each function of the profile. */
  readonly #functions: { name: number; gva: bigint }[] = [];
  #samples: SampleInput[] = [];
  /** Encoded samples. A message may be split: its parts are concatenated. */
  readonly #room = new Uint8Array(PIECE);
  #used = 0;
  #first = NaN;
  #last = NaN;

  constructor(sink: OutputSink) {
    super(PPROF.name);
    this.#sink = sink;
  }

  override events(run: EventRun): void {
    super.events(run);
    const { columns, from, to } = run;
    const epoch = Number(columns.epoch);
    if (this.#first !== this.#first) this.#first = epoch + columns.ts[from];
    this.#last = epoch + columns.ts[to - 1];
  }

  override end(): void {
    super.end();
    this.#encodeSamples();
    this.#encode(this.#rest());
    this.#passOn(this.#room.subarray(0, this.#used));
  }

  protected override stack(stack: StackTime, guest: GuestStacks): void {
    const text = (key: string, value: string) => ({
      key: this.#strings.dedup(key),
      str: this.#strings.dedup(value),
    });
    const label = [text("thread", guest.thread(stack))];
    if (this.several) label.push(text("target", guest.target));
    this.#samples.push({
      locationId: stack.functions.map((index) => this.#location(guest, index)),
      value: [stack.calls, stack.self],
      label,
    });
    if (this.#samples.length >= BATCH) this.#encodeSamples();
  }

  #location(guest: GuestStacks, index: number): number {
    let ids = this.#ids.get(guest);
    if (ids === undefined) this.#ids.set(guest, ids = []);
    return ids[index] ??= this.#functions.push({
      name: this.#strings.dedup(guest.names.at(index)),
      gva: guest.address(index),
    });
  }

  #encodeSamples(): void {
    const sample = this.#samples;
    this.#samples = [];
    this.#encode(
      new Profile({ sample, stringTable: new StringTable(emptyTableToken) }),
    );
  }

  /** Appends a part of the profile. */
  #encode(part: Profile): void {
    const { length } = part;
    if (length > PIECE - this.#used) {
      this.#passOn(this.#room.subarray(0, this.#used));
      this.#used = 0;
    }
    if (length > PIECE) {
      this.#passOn(part.encode());
      return;
    }
    part.encode(this.#room.subarray(this.#used, this.#used + length));
    this.#used += length;
  }

  /** Everything but the samples. */
  #rest(): Profile {
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
    });
  }

  /** Members of a gzip file may be concatenated. */
  #passOn(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#sink(new Uint8Array(gzipSync(bytes)));
  }
}
