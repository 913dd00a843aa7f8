/**
 * The format `parquet`: a table with a row for each event, compressed with zstd,
 * with the least and greatest value of each column in every row group. A row
 * group ends after a second of the trace, or when it is full.
 *
 * @module
 */
import { zstdCompressSync } from "node:zlib";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { KIND } from "../../ftrace/ring/columns.ts";
import type {
  EventRun,
  Loss,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceTotals,
  TraceWriter,
} from "../writer.ts";
import { GuestLines } from "./jsonl.ts";

/** Rows of a group at most: they are in memory until it is written. */
const MOST_ROWS = 250_000;
/** Rows below which a second does not end a group: each has its own books. */
const FEWEST_ROWS = 1000;
/** A second of the trace, in ns. */
const SECOND = 1_000_000_000n;
/** Bytes after which what has been encoded is passed on. */
const PIECE = 1 << 20;

/** Events as a table for data frames and databases. */
export const PARQUET: TraceFormat = {
  name: "parquet",
  about: "a table of all events, for DuckDB, pandas and others",
  binary: true,
  writer: (sink) => new ParquetTraceWriter(sink),
};

/** The columns, with their types in the file. */
const COLUMNS = [
  ["target", "text"],
  ["ts", "long"],
  ["cpu", "int"],
  ["pid", "int"],
  ["comm", "text"],
  ["name", "text"],
  ["func", "text"],
  ["depth", "int"],
  ["start", "long"],
  ["duration", "long"],
  ["fields", "text"],
] as const;

type Column = typeof COLUMNS[number][0];
type Cell = string | number | bigint | null;

/** What an element of the schema has besides its name. */
const TYPES = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  int: { type: "INT32" },
  long: { type: "INT64" },
} as const;

/** Passes on what was encoded, a piece at a time. */
class SinkWriter extends ByteWriter {
  readonly #sink: OutputSink;

  constructor(sink: OutputSink) {
    super(PIECE);
    this.#sink = sink;
  }

  flush(): void {
    if (this.index > 0) this.#sink(this.getBytes().slice());
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}

class ParquetTraceWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #guests = new Map<TraceSource, Guest>();
  readonly #rows = Object.fromEntries(
    COLUMNS.map(([name]): [Column, Cell[]] => [name, []]),
  ) as Record<Column, Cell[]>;
  #file: ParquetWriter | undefined;
  #first = 0n;

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) this.#guests.set(source, new Guest(source));
    this.#file = new ParquetWriter({
      writer: new SinkWriter(this.#sink),
      schema: [
        { name: "events", num_children: COLUMNS.length },
        ...COLUMNS.map(([name, type]) => ({
          name,
          repetition_type: "OPTIONAL" as const,
          ...TYPES[type],
        })),
      ],
      codec: "ZSTD",
      compressors: { ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes) },
      createdBy: "xftrace",
    });
  }

  events(run: EventRun): void {
    const guest = this.#guests.get(run.source)!;
    const { columns } = run;
    for (let row = run.from; row < run.to; row++) {
      const ts = columns.timeAt(row);
      this.#groupFor(ts);
      const pid = columns.pid[row];
      const { name, fields } = guest.lines.parts(run, row);
      const kind = columns.kind[row];
      const isCall = kind !== KIND.other;
      const ends = kind === KIND.return;
      const took = columns.duration[row];
      // What a damaged trace claims may be no number of 64 bits.
      const duration = ends && took >= 0 && took < 2 ** 63
        ? BigInt(took)
        : null;
      this.#add({
        target: guest.target,
        ts: long(ts),
        cpu: columns.cpu[row],
        pid,
        comm: guest.comm(pid),
        name,
        func: isCall
          ? guest.nameOf(columns.func[2 * row], columns.func[2 * row + 1])
          : null,
        depth: isCall ? columns.depth[row] : null,
        start: duration === null ? null : long(ts - duration),
        duration,
        fields,
      });
    }
  }

  lost({ source, cpu, count, before }: Loss): void {
    this.#groupFor(before);
    this.#add({
      target: this.#guests.get(source)!.target,
      ts: long(before),
      cpu,
      pid: null,
      comm: null,
      name: LOST,
      func: null,
      depth: null,
      start: null,
      duration: null,
      fields: `{"lost":${count < 0 ? null : count}}`,
    });
  }

  refresh(): void {
    for (const guest of this.#guests.values()) guest.refresh();
  }

  end({ events, lost, dropped }: TraceTotals): void {
    this.#group();
    const file = this.#file!;
    const [source] = this.#guests.keys();
    file.kvMetadata = Object.entries({
      events,
      lost,
      dropped,
      kernel: source.meta.release ?? null,
      clock: source.file?.clock ?? null,
      unit: "ns",
    }).map(([key, value]) => ({
      key: `xftrace.${key}`,
      value: String(value ?? "unknown"),
    }));
    void file.finish();
  }

  /** Ends the group if an event at this time belongs to the next one. */
  #groupFor(ts: bigint): void {
    const rows = this.#rows.ts.length;
    if (rows === 0) this.#first = ts;
    const full = rows >= MOST_ROWS ||
      rows >= FEWEST_ROWS && ts - this.#first >= SECOND;
    if (!full) return;
    this.#group();
    this.#first = ts;
  }

  #add(row: Readonly<Record<Column, Cell>>): void {
    for (const [name] of COLUMNS) this.#rows[name].push(row[name]);
  }

  #group(): void {
    const rows = this.#rows.ts.length;
    if (rows === 0) return;
    void this.#file!.write({
      columnData: COLUMNS.map(([name]) => ({ name, data: this.#rows[name] })),
      rowGroupSize: rows,
    });
    for (const [name] of COLUMNS) this.#rows[name] = [];
  }
}

/** A number for the file; `null` if its type cannot hold it. */
function long(value: bigint): bigint | null {
  return value === BigInt.asIntN(64, value) ? value : null;
}

/** The name of a row that stands for events that are missing. */
const LOST = "lost_events";

/** One guest's texts. */
class Guest {
  readonly target: string | null;
  readonly #source: TraceSource;
  readonly lines: GuestLines;
  readonly #comms = new Map<number, string | null>();

  constructor(source: TraceSource) {
    this.target = source.target ?? null;
    this.#source = source;
    this.lines = new GuestLines(source, "");
  }

  refresh(): void {
    this.#comms.clear();
  }

  nameOf(lo: number, hi: number): string {
    return this.#source.meta.symbols.ps(lo, hi);
  }

  comm(pid: number): string | null {
    let comm = this.#comms.get(pid);
    if (comm === undefined) {
      comm = pid === 0 ? "<idle>" : this.#source.meta.comm(pid) ?? null;
      this.#comms.set(pid, comm);
    }
    return comm;
  }
}
