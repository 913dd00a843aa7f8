/**
 * The format `speedscope`: an evented profile for each thread, in the JSON that
 * speedscope.app reads. Times are ns since the first event of the trace.
 *
 * @module
 */
import { decimal } from "../../base/decimal.ts";
import { shownJson } from "../../base/shown.ts";
import {
  type CallVisitor,
  OpenCalls,
  type OpenTask,
} from "../../ftrace/graph/open_calls.ts";
import { VERSION } from "../../base/version.ts";
import type {
  EventRun,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
} from "../writer.ts";
import {
  FunctionNames,
  leftOutCalls,
  noCalls,
  threadName,
} from "./call_names.ts";
import { NumberList, NumberLists } from "./number_lists.ts";

/** Text is passed on in chunks of about this many characters. */
const CHUNK = 8192;

/** Threads of a guest, which may invent any number of them. */
const MOST_THREADS = 1 << 17;

/** Calls of each thread over time. */
export const SPEEDSCOPE: TraceFormat = {
  name: "speedscope",
  about: "calls of each thread over time, for speedscope.app",
  writer: (sink) => new SpeedscopeWriter(sink),
};

/** The calls of one thread. */
interface Thread {
  readonly pid: number;
  readonly cpu: number;
  /** Time of its first event, in ns since the epoch. */
  readonly start: number;
  last: number;
  /** For each entry `2 * function + 1`, for each return 0; and ns since the last. */
  readonly events: NumberList;
}

/** The threads of one guest. */
class Threads implements CallVisitor {
  readonly calls: OpenCalls = new OpenCalls(this);
  readonly all = new Map<string, Thread>();
  /** Calls of further threads. */
  leftOut = 0;
  readonly #lists: NumberLists;

  constructor(lists: NumberLists) {
    this.#lists = lists;
  }

  entered(task: OpenTask, ts: number): void {
    this.#push(task, ts, 2 * task.func[task.open - 1] + 1);
  }

  left(task: OpenTask, ts: number): void {
    this.#push(task, ts, 0);
  }

  #push({ pid, cpu }: OpenTask, ts: number, what: number): void {
    const key = pid === 0 ? `0@${cpu}` : String(pid);
    let thread = this.all.get(key);
    if (thread === undefined) {
      if (this.all.size >= MOST_THREADS) {
        if (what !== 0) this.leftOut++;
        return;
      }
      thread = { pid, cpu, start: ts, last: ts, events: new NumberList() };
      this.all.set(key, thread);
    }
    this.#lists.push(thread.events, what);
    // Time does not go back within a thread, unless a trace is damaged.
    const since = Math.round(Math.max(0, ts - thread.last));
    this.#lists.push(thread.events, Math.min(Number.MAX_SAFE_INTEGER, since));
    thread.last = Math.max(thread.last, ts);
  }
}

/** Writes profiles; `lists` keeps less in memory in tests. */
export class SpeedscopeWriter implements TraceWriter {
  readonly #sink: OutputSink;
  /** The file lists events thread by thread: all must be kept until the end. */
  readonly #lists: NumberLists;
  readonly #guests = new Map<TraceSource, Threads>();
  /** The first event of all, in ns; rows count from their columns' epoch. */
  #first: number | undefined;
  readonly #epochs = new Map<TraceSource, number>();
  readonly #frames = new Map<string, number>();
  #last = 0;
  #gaps = 0;
  #chunk = "";

  constructor(sink: OutputSink, lists: NumberLists = new NumberLists()) {
    this.#sink = sink;
    this.#lists = lists;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) {
      this.#guests.set(source, new Threads(this.#lists));
    }
  }

  events({ source, columns, from, to }: EventRun): void {
    const epoch = Number(columns.epoch);
    this.#epochs.set(source, epoch);
    this.#first ??= epoch + columns.ts[from];
    this.#last = Math.max(this.#last, epoch + columns.ts[to - 1]);
    this.#guests.get(source)!.calls.take(columns, from, to);
  }

  lost(): void {
    // The format cannot say that events are missing.
    this.#gaps++;
  }

  leftOut(): readonly string[] {
    const guests = [...this.#guests.values()];
    const said = leftOutCalls(
      SPEEDSCOPE.name,
      guests.map(({ calls }) => calls),
      "end with their caller, or with the trace",
      this.#gaps,
    );
    const further = guests.reduce((sum, { leftOut }) => sum + leftOut, 0);
    if (further === 0) return said;
    const count = (number: number) => number.toLocaleString("en-US");
    return [
      ...said,
      `calls of threads after the first ${count(MOST_THREADS)} are left out: ${
        count(further)
      }`,
    ];
  }

  end(): void {
    using _ = this.#lists;
    let whole = 0;
    for (const { calls } of this.#guests.values()) {
      calls.end();
      whole += calls.whole;
    }
    if (whole === 0) throw noCalls(SPEEDSCOPE.name);
    this.#write(
      '{"$schema":"https://www.speedscope.app/file-format-schema.json",\n' +
        `"exporter":"xftrace@${VERSION}",\n"profiles":[`,
    );
    let first = true;
    for (const [source, threads] of this.#guests) {
      const names = new FunctionNames(source, threads.calls.functions);
      const whose = this.#guests.size > 1 ? `${source.target ?? "-"} ` : "";
      const zero = (this.#epochs.get(source) ?? 0) - this.#first!;
      for (const thread of threads.all.values()) {
        this.#write(first ? "\n" : ",\n");
        this.#profile(whose, source, names, thread, zero);
        first = false;
      }
    }
    this.#write('\n],\n"shared":{"frames":[');
    let comma = "\n";
    for (const name of this.#frames.keys()) {
      this.#write(`${comma}{"name":${json(name)}}`);
      comma = ",\n";
    }
    this.#write("\n]}}\n");
    this.#sink(this.#chunk);
  }

  #profile(
    whose: string,
    source: TraceSource,
    names: FunctionNames,
    { pid, cpu, start, events }: Thread,
    zero: number,
  ): void {
    const name = whose + threadName(source, pid, cpu);
    this.#write(
      `{"type":"evented","name":${json(name)},"unit":"nanoseconds",` +
        `"startValue":0,"endValue":${this.#last - this.#first!},"events":[`,
    );
    const stack: number[] = [];
    let what = NaN;
    let ts = start + zero;
    let comma = "\n";
    for (const number of this.#lists.numbers(events)) {
      if (what !== what) {
        what = number;
        continue;
      }
      ts += number;
      const frame = what === 0
        ? stack.pop()!
        : this.#frame(names.at((what - 1) / 2));
      if (what !== 0) stack.push(frame);
      this.#write(
        `${comma}{"type":"${what === 0 ? "C" : "O"}","frame":${
          decimal(frame)
        },"at":${decimal(ts)}}`,
      );
      comma = ",\n";
      what = NaN;
    }
    this.#write("\n]}");
  }

  #frame(name: string): number {
    let frame = this.#frames.get(name);
    if (frame === undefined) {
      frame = this.#frames.size;
      this.#frames.set(name, frame);
    }
    return frame;
  }

  #write(text: string): void {
    this.#chunk += text;
    if (this.#chunk.length < CHUNK) return;
    this.#sink(this.#chunk);
    this.#chunk = "";
  }
}

function json(text: string): string {
  return shownJson(JSON.stringify(text));
}
