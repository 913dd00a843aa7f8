/**
 * An open trace.dat: names, formats, and its events in order of time.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import { type DatClock, DatDecoder } from "./dat_decoder.ts";
import { type DatSource, openDatFile } from "./dat_file.ts";
import { readDatHeader } from "./dat_header.ts";
import { type DatLayout, datLayout } from "./dat_layout.ts";
import { type DatPage, datPages } from "./dat_pages.ts";
import type { DatBuffer, DatHeader } from "./dat_parts.ts";
import { DatFunctions, printkFormats, savedCmdlines } from "./dat_tables.ts";

/** Rows that are handed out at once. */
const LONGEST_RUN = 4096;

/** Consecutive events of one CPU. */
export interface DatRun {
  readonly buffer: DatBuffer;
  readonly columns: EventColumns;
  readonly arena: PageArena;
  readonly from: number;
  readonly to: number;
}

/** Events that are missing. */
export interface DatLoss {
  readonly buffer: DatBuffer;
  readonly cpu: number;
  /** How many; -1 if the file does not say. */
  readonly count: number;
  /** Time of the CPU's next event, in ns. */
  readonly before: bigint;
  /** Whether nothing precedes that event in its page, not even a time. */
  readonly first: boolean;
}

/** Takes the events of a trace. */
export interface DatVisitor {
  /** Events that are no earlier than those before. */
  events(run: DatRun): void;
  /** Events of a CPU are missing before the next one of it. */
  lost(loss: DatLoss): void;
}

/** What to read. */
export interface DatSelection {
  /** Only the events of this CPU. */
  readonly cpu?: number;
  /** Only this instance; empty for the top level. */
  readonly instance?: string;
}

/** What reading found. */
export interface DatReading {
  readonly events: number;
  /** Events that the file says are missing, as far as it says how many. */
  readonly lost: number;
  /** Pages that are damaged, one sentence each; the first ones. */
  readonly problems: readonly string[];
  readonly damaged: number;
}

/**
 * A trace.dat.
 *
 * @example
 * ```ts ignore
 * import { DatTrace } from "xftrace/ftrace";
 *
 * using trace = DatTrace.open("trace.dat");
 * console.log(trace.header.version, trace.header.cpuCount);
 * ```
 */
export class DatTrace implements Disposable {
  readonly header: DatHeader;
  readonly layout: DatLayout;
  readonly functions: DatFunctions;
  /** Texts of `trace_printk`, and others that events point to. */
  readonly printk: ReadonlyMap<bigint, string>;
  /** Names of threads. */
  readonly comms: ReadonlyMap<number, string>;
  readonly #source: DatSource;

  /** @throws {XftraceError} when it is none, or damaged. */
  constructor(source: DatSource) {
    this.#source = source;
    this.header = readDatHeader(source);
    this.layout = datLayout(this.header);
    this.functions = new DatFunctions(this.header.kallsyms);
    this.printk = printkFormats(this.header.printk);
    this.comms = savedCmdlines(this.header.cmdlines);
  }

  /**
   * Opens a file.
   *
   * @throws {XftraceError} when it cannot be read, is none, or is damaged.
   */
  static open(path: string): DatTrace {
    const source = openDatFile(path);
    try {
      return new DatTrace(source);
    } catch (error) {
      source[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
  }

  /** Whether times are ns, and not ticks of some clock. */
  get inNs(): boolean {
    const { clock, tsc } = this.header;
    return tsc !== undefined || clock === undefined ||
      /^(?:local|global|uptime|perf|mono.*|tsc2nsec|tai)$/.test(clock);
  }

  /** The text of a trace that is text already; undefined if it is none. */
  text(): Uint8Array<ArrayBuffer> | undefined {
    const text = this.header.buffers[0]?.text;
    if (text === undefined) return undefined;
    if (text.size > 1 << 28) {
      throw new XftraceError(
        `${this.header.path} holds a text of ${text.size} bytes, which is more than is read at once`,
      );
    }
    return this.#source.read(text.offset, text.size);
  }

  /** Passes on all events in order of time. */
  read(visitor: DatVisitor, only: DatSelection = {}): DatReading {
    const runs = this.runs(only);
    for (;;) {
      const { done, value } = runs.next();
      if (done === true) return value;
      if ("before" in value) visitor.lost(value);
      else visitor.events(value);
    }
  }

  /**
   * All events in order of time, and losses where they happened. What a run
   * refers to is valid until the next one is asked for.
   */
  runs(
    only: DatSelection = {},
  ): Generator<DatRun | DatLoss, DatReading, undefined> {
    const { header } = this;
    const { cpu: wanted, instance } = only;
    const chosen = header.buffers.filter(({ name }) =>
      instance === undefined || name === instance
    );
    if (chosen.length === 0 && instance !== undefined) {
      throw new XftraceError(
        `${header.path} has no instance ${JSON.stringify(instance)}; it has ${
          header.buffers.map(({ name }) => JSON.stringify(name)).join(", ")
        }`,
      );
    }
    const problems = new Problems(header.path);
    const clock = clockOf(header);
    const decoder = new DatDecoder(this.layout, header.little, clock);
    const streams: Stream[] = [];
    for (const buffer of chosen) {
      for (const cpu of buffer.cpus) {
        if (wanted !== undefined && cpu.cpu !== wanted) continue;
        const pages = datPages(this.#source, header, buffer, cpu);
        streams.push(new Stream(buffer, cpu.cpu, pages, decoder, problems));
      }
    }
    const epoch = streams.reduce<bigint | undefined>(
      (least, { first }) =>
        first === undefined || (least !== undefined && least < first)
          ? least
          : first,
      undefined,
    ) ?? 0n;
    const stamps = (clock?.(epoch) ?? epoch) + header.timeOffset;
    for (const stream of streams) {
      stream.begin(epoch, BigInt.asUintN(64, stamps));
    }
    return merge(streams, problems, header.pageData);
  }
}

function clockOf({ tsc }: DatHeader): DatClock | undefined {
  if (tsc === undefined) return undefined;
  const mult = BigInt(tsc.mult);
  const shift = BigInt(tsc.shift);
  return (stamp) => BigInt.asUintN(64, (stamp * mult) >> shift);
}

/** Collects what is wrong with pages. */
class Problems {
  readonly first: string[] = [];
  count = 0;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(place: number, cpu: number, what: string): void {
    this.count++;
    if (this.first.length >= 10) return;
    this.first.push(
      `${this.#path}: at byte ${place}: the page of CPU ${cpu} is damaged: ${what}; the events before that are kept`,
    );
  }
}

/** The events of one CPU, page by page. */
class Stream {
  readonly buffer: DatBuffer;
  readonly cpu: number;
  /** The time of the first page; undefined if there is none. */
  readonly first: bigint | undefined;
  readonly arena: PageArena;
  columns: EventColumns = new EventColumns(0n, 16);
  /** The next row. */
  row = 0;
  /** Losses of the page that were told. */
  told = 0;
  readonly #pages: Generator<DatPage>;
  readonly #decoder: DatDecoder;
  readonly #problems: Problems;
  #next: IteratorResult<DatPage>;
  /** Times in the file count from this, and those in columns from another. */
  #decoded: EventColumns = this.columns;

  constructor(
    buffer: DatBuffer,
    cpu: number,
    pages: Generator<DatPage>,
    decoder: DatDecoder,
    problems: Problems,
  ) {
    this.buffer = buffer;
    this.cpu = cpu;
    this.#pages = pages;
    this.#decoder = decoder;
    this.#problems = problems;
    const slot = Math.ceil(buffer.pageSize / 8) * 8;
    this.arena = new PageArena(slot, 1);
    this.arena.acquire();
    this.#next = pages.next();
    this.first = this.#next.done === true || this.#next.value.bytes.length < 8
      ? undefined
      : new DataView(
        this.#next.value.bytes.buffer,
        this.#next.value.bytes.byteOffset,
      ).getBigUint64(0, decoder.little);
  }

  /**
   * @param epoch from which times in the file count
   * @param stamps the same as ns, as it is shown
   */
  begin(epoch: bigint, stamps: bigint): void {
    this.#decoded = new EventColumns(epoch, 64);
    this.columns = epoch === stamps
      ? this.#decoded
      : EventColumns.sharing(this.#decoded, stamps);
    this.#fill();
  }

  /** The time of the next row; Infinity if there is none. */
  get time(): number {
    return this.row < this.columns.length
      ? this.columns.ts[this.row]
      : Infinity;
  }

  /** Goes on to a row. */
  advance(to: number): void {
    this.row = to;
    if (to >= this.columns.length) this.#fill();
  }

  #fill(): void {
    const { arena } = this;
    while (this.#next.done !== true) {
      const { bytes, place } = this.#next.value;
      arena.bytes.fill(0);
      arena.bytes.set(bytes);
      this.#decoded.clear();
      this.columns.length = 0;
      this.row = 0;
      this.told = 0;
      const problem = this.#decoder.decode(
        arena,
        0,
        bytes.length,
        this.cpu,
        this.#decoded,
      );
      if (problem !== undefined) this.#problems.add(place, this.cpu, problem);
      this.#next = this.#pages.next();
      if (this.columns !== this.#decoded) this.columns.share(this.#decoded);
      if (this.columns.length > 0) return;
    }
    this.columns.length = 0;
    this.row = 0;
  }
}

/** The earliest event comes next; in a tie, that of the first CPU in order. */
function* merge(
  streams: readonly Stream[],
  problems: Problems,
  pageData: number,
): Generator<DatRun | DatLoss, DatReading, undefined> {
  let events = 0;
  let lost = 0;
  for (;;) {
    let best = -1;
    let time = Infinity;
    /** Until when the best one goes on, and whether it wins a tie. */
    let until = Infinity;
    let wins = true;
    for (let i = 0; i < streams.length; i++) {
      const own = streams[i].time;
      if (own < time) {
        if (best >= 0 && time <= until) {
          until = time;
          wins = false;
        }
        best = i;
        time = own;
      } else if (own < until) {
        until = own;
        wins = best < i;
      }
    }
    if (best < 0) break;
    const stream = streams[best];
    const { columns, arena, buffer, cpu } = stream;
    const { ts } = columns;
    const from = stream.row;
    while (
      stream.told < columns.lost.length &&
      columns.lost[stream.told].row <= from
    ) {
      const { count } = columns.lost[stream.told++];
      lost += Math.max(0, count);
      yield {
        buffer,
        cpu,
        count,
        before: columns.timeAt(from),
        first: columns.offset[from] <= pageData + 8,
      };
    }
    const stop = Math.min(
      columns.length,
      from + LONGEST_RUN,
      columns.lost[stream.told]?.row ?? Infinity,
    );
    let to = from + 1;
    while (to < stop && (ts[to] < until || (wins && ts[to] === until))) to++;
    yield { buffer, columns, arena, from, to };
    events += to - from;
    stream.advance(to);
  }
  const { first, count } = problems;
  return { events, lost, problems: first, damaged: count };
}
