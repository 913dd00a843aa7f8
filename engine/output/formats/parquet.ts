/**
 * The format `parquet`: a table with a row for each event, compressed with zstd,
 * with the least and greatest value of each column in every row group. A row
 * group ends after a second of the trace, or when it is full.
 *
 * @module
 */
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
import {
  type Cell,
  type ColumnType,
  GroupColumn,
  schemaElement,
  ZSTD,
} from "./parquet_columns.ts";
import { recordedNames } from "../text/environment.ts";

/** Rows of a group at most. */
const MOST_ROWS = 1_000_000;
/** Rows below which a second does not end a group: each has its own books. */
const FEWEST_ROWS = 1000;
/**
 * Groups after which there must be twice as many rows, each time: what is known
 * of all groups is in memory until the end, and a trace may go on for days.
 */
const MANY_GROUPS = 1000;
/** Names of threads that are kept; a guest may invent any number. */
const MOST_KEPT = 1 << 16;
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
  { name: "target", type: "text", numbered: true },
  { name: "ts", type: "long" },
  { name: "cpu", type: "int", numbered: true },
  { name: "pid", type: "int", numbered: true },
  { name: "comm", type: "text", numbered: true },
  { name: "name", type: "text", numbered: true },
  { name: "func", type: "text", numbered: true },
  { name: "depth", type: "int", numbered: true },
  { name: "start", type: "long" },
  { name: "duration", type: "long" },
  { name: "fields", type: "text" },
] as const satisfies readonly ColumnType[];

type Column = typeof COLUMNS[number]["name"];
/** The name of a row as a whole. */
const ROOT = "events";

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

/** Writes tables; `mostRows` of a group are fewer in tests. */
export class ParquetTraceWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #guests = new Map<TraceSource, Guest>();
  readonly #columns = COLUMNS.map((column) => new GroupColumn(column, ROOT));
  readonly #mostRows: number;
  #rows = 0;
  #notHeld = 0;
  #file: ParquetWriter | undefined;
  #first = 0n;

  constructor(sink: OutputSink, mostRows: number = MOST_ROWS) {
    this.#sink = sink;
    this.#mostRows = mostRows;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) this.#guests.set(source, new Guest(source));
    this.#file = new ParquetWriter({
      writer: new SinkWriter(this.#sink),
      schema: [
        { name: ROOT, num_children: COLUMNS.length },
        ...COLUMNS.map(schemaElement),
      ],
      ...ZSTD,
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
      ...this.#alignments(),
      ...this.#seals(),
    }).map(([key, value]) => ({
      key: `xftrace.${key}`,
      value: String(value ?? "unknown"),
    }));
    void file.finish();
  }

  /** How well the times of guests are known that share a time line. */
  #alignments(): { alignment?: string } {
    const all = [...this.#guests.keys()].flatMap(({ target, aligned }) =>
      aligned === undefined ? [] : [{ target: target ?? null, ...aligned }]
    );
    return all.length === 0 ? {} : { alignment: JSON.stringify(all) };
  }

  /** The verdicts on sealed sources. */
  #seals(): { seal?: string } {
    const all = [...this.#guests.keys()].flatMap(({ target, seal }) =>
      seal === undefined ? [] : [{
        target: target ?? null,
        seal: seal.kind,
        verdict: seal.text,
      }]
    );
    return all.length === 0 ? {} : { seal: JSON.stringify(all) };
  }

  leftOut(): readonly string[] {
    return this.#notHeld === 0 ? [] : [
      `times that are no numbers of 64 bits, as in a damaged trace, are left empty: ${
        this.#notHeld.toLocaleString("en-US")
      }`,
    ];
  }

  /** Ends the group if an event at this time belongs to the next one. */
  #groupFor(ts: bigint): void {
    const rows = this.#rows;
    if (rows === 0) this.#first = ts;
    const groups = this.#file!.row_groups.length;
    const fewest = FEWEST_ROWS * 2 ** Math.floor(groups / MANY_GROUPS);
    const full = rows >= this.#mostRows ||
      rows >= fewest && ts - this.#first >= SECOND;
    if (!full) return;
    this.#group();
    this.#first = ts;
  }

  #add(row: Readonly<Record<Column, Cell>>): void {
    if (row.ts === null) this.#notHeld++;
    this.#rows++;
    for (let i = 0; i < COLUMNS.length; i++) {
      this.#columns[i].push(row[COLUMNS[i].name]);
    }
  }

  #group(): void {
    if (this.#rows === 0) return;
    const file = this.#file!;
    const start = file.writer.offset;
    const columns = this.#columns.map((column) => {
      const written = column.write(file);
      file.pendingIndexes.push(written);
      file.writer.flush?.();
      return written.chunk;
    });
    file.row_groups.push({
      columns,
      num_rows: BigInt(this.#rows),
      total_byte_size: columns.reduce(
        (sum, { meta_data }) =>
          sum + (meta_data?.total_uncompressed_size ?? 0n),
        0n,
      ),
      total_compressed_size: BigInt(file.writer.offset - start),
    });
    file.num_rows += BigInt(this.#rows);
    this.#rows = 0;
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
    return recordedNames(this.#source.meta).ps(lo, hi);
  }

  comm(pid: number): string | null {
    let comm = this.#comms.get(pid);
    if (comm === undefined) {
      comm = pid === 0 ? "<idle>" : this.#source.meta.comm(pid) ?? null;
      if (this.#comms.size >= MOST_KEPT) this.#comms.clear();
      this.#comms.set(pid, comm);
    }
    return comm;
  }
}
