/**
 * Fills tables with a trace.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  type CallVisitor,
  OpenCalls,
  type OpenTask,
} from "../../ftrace/graph/open_calls.ts";
import type { EventColumns } from "../../ftrace/ring/columns.ts";
import { FunctionNames } from "../formats/call_names.ts";
import { GuestLines } from "../formats/jsonl.ts";
import type { EventRun, Loss, TraceSource, TraceWriter } from "../writer.ts";
import {
  COMMON_COLUMNS,
  type EventTable,
  eventTables,
  type NamedParts,
  SQL_TABLES,
} from "./tables.ts";

/** A value for SQLite. */
type Value = string | number | bigint | null;

/** Names of threads that are kept; a guest may invent any number. */
const MOST_KEPT = 1 << 16;
/** Rows that are inserted in one transaction. */
const BATCH = 100_000;

/** Inserts into some of a table's columns; the others stay NULL. */
class Rows {
  /** Whether each of the table's columns is filled, in their order. */
  readonly wanted: readonly boolean[];
  readonly #insert: StatementSync | undefined;

  constructor(db: DatabaseSync, table: string, named: NamedParts) {
    const { columns } = SQL_TABLES.find(({ name }) => name === table)!;
    const has = named.has(table);
    this.wanted = columns.map(([name]) => has && named.column(name));
    if (!has) return;
    const filled = columns.filter((_, i) => this.wanted[i])
      .map(([name]) => `"${name}"`);
    // Rows are counted even if no column is named.
    this.#insert = db.prepare(
      filled.length === 0
        ? `INSERT INTO ${table} DEFAULT VALUES`
        : `INSERT INTO ${table} (${filled.join(", ")}) VALUES (${
          filled.map(() => "?").join(", ")
        })`,
    );
  }

  get used(): boolean {
    return this.#insert !== undefined;
  }

  /** @param values the value of each column: asked for only if it is filled */
  add(values: readonly (() => Value)[]): void {
    if (this.#insert === undefined) return;
    const filled: Value[] = [];
    for (let i = 0; i < values.length; i++) {
      if (this.wanted[i]) filled.push(values[i]());
    }
    this.#insert.run(...filled);
  }
}

/** Where rows go. */
interface Tables {
  readonly events: Rows;
  readonly calls: Rows;
  readonly losses: Rows;
  /** By the names of events. */
  readonly named: ReadonlyMap<string, StatementSync>;
}

/** Takes a trace, whose instances fill the same tables. */
export class SqlWriter implements TraceWriter {
  readonly #db: DatabaseSync;
  readonly #parts: NamedParts;
  readonly #create: (events: readonly EventTable[]) => void;
  readonly #fail: (error: unknown) => never;
  readonly #guests = new Map<TraceSource, GuestRows>();
  #tables: Tables | undefined;
  #inserted = 0;

  /**
   * @param create makes the tables
   * @param fail makes the error for one of SQLite's
   */
  constructor(
    db: DatabaseSync,
    parts: NamedParts,
    create: (events: readonly EventTable[]) => void,
    fail: (error: unknown) => never,
  ) {
    this.#db = db;
    this.#parts = parts;
    this.#create = create;
    this.#fail = fail;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    const db = this.#db;
    const events = eventTables(this.#parts.words, sources[0].file);
    this.#create(events);
    this.#tables = {
      events: new Rows(db, "events", this.#parts),
      calls: new Rows(db, "calls", this.#parts),
      losses: new Rows(db, "losses", this.#parts),
      named: new Map(
        events.map((table) => [
          table.name,
          insertFields(db, table, this.#parts),
        ]),
      ),
    };
    for (const source of sources) {
      this.#guests.set(source, new GuestRows(source, this.#tables));
    }
    db.exec("BEGIN");
  }

  events(run: EventRun): void {
    try {
      this.#guests.get(run.source)!.take(run);
      this.#inserted += run.to - run.from;
      if (this.#inserted < BATCH) return;
      this.#inserted = 0;
      this.#db.exec("COMMIT; BEGIN");
    } catch (error) {
      this.#fail(error);
    }
  }

  lost({ cpu, count, before }: Loss): void {
    this.#tables!.losses.add([
      () => held(before),
      () => cpu,
      () => count < 0 ? null : count,
    ]);
  }

  refresh(): void {
    for (const guest of this.#guests.values()) guest.refresh();
  }

  end(): void {
    this.#db.exec("COMMIT");
  }
}

/** Makes the rows of one source. */
class GuestRows implements CallVisitor {
  readonly #source: TraceSource;
  readonly #tables: Tables;
  readonly #lines: GuestLines;
  readonly #open: OpenCalls = new OpenCalls(this);
  readonly #functions: FunctionNames;
  readonly #comms = new Map<number, string | null>();
  /** Of the row that is being taken. */
  #cpu = 0;
  #epoch = 0n;

  constructor(source: TraceSource, tables: Tables) {
    this.#source = source;
    this.#tables = tables;
    this.#lines = new GuestLines(source, "");
    this.#functions = new FunctionNames(source, this.#open.functions);
  }

  take(run: EventRun): void {
    const { columns, from, to } = run;
    const { events, calls, named } = this.#tables;
    this.#epoch = columns.epoch;
    if (events.used || named.size > 0) {
      for (let row = from; row < to; row++) this.#event(run, row);
    }
    if (!calls.used) return;
    for (let row = from; row < to; row++) {
      this.#cpu = columns.cpu[row];
      this.#open.take(columns, row, row + 1);
    }
  }

  refresh(): void {
    this.#comms.clear();
  }

  entered(): void {
    // The row of a call is made when it ends.
  }

  left(task: OpenTask, ts: number, duration: number): void {
    if (!(duration >= 0)) return;
    const at = task.open - 1;
    const func = task.func[at];
    const names = this.#functions;
    this.#tables.calls.add([
      () => exact(this.#epoch, ts - duration),
      () => duration,
      // What a damaged trace claims must not turn into negative times.
      () => Math.max(0, duration - task.inner[at]),
      () => this.#cpu,
      () => task.pid,
      () => this.#comm(task.pid),
      () => names.at(func),
      () => at > 0 ? names.at(task.func[at - 1]) : null,
      () => task.depth[at],
      () => task.func.indexOf(func) === at ? 1 : 0,
    ]);
  }

  #event(run: EventRun, row: number): void {
    const { columns } = run;
    const { events, named } = this.#tables;
    const needsText = events.wanted[4] || events.wanted[5] || named.size > 0;
    const { name, fields } = needsText
      ? this.#lines.parts(run, row)
      : { name: null, fields: "" };
    const pid = columns.pid[row];
    events.add([
      () => time(columns, row),
      () => columns.cpu[row],
      () => pid,
      () => this.#comm(pid),
      () => name,
      () => fields,
    ]);
    const table = name === null ? undefined : named.get(name);
    table?.run(
      fields,
      time(columns, row),
      columns.cpu[row],
      pid,
      this.#comm(pid),
    );
  }

  #comm(pid: number): string | null {
    let comm = this.#comms.get(pid);
    if (comm === undefined) {
      comm = pid === 0 ? "<idle>" : this.#source.meta.comm(pid) ?? null;
      if (this.#comms.size >= MOST_KEPT) this.#comms.clear();
      this.#comms.set(pid, comm);
    }
    return comm;
  }
}

/** Inserts an event by its fields as JSON, from which SQLite takes them. */
function insertFields(
  db: DatabaseSync,
  { name, fields }: EventTable,
  named: NamedParts,
): StatementSync {
  const filled = fields.filter((field) => named.column(field.toLowerCase()));
  const columns = [
    ...COMMON_COLUMNS.map(([column]) => column),
    ...filled,
  ].map((column) => `"${column}"`);
  const values = [
    "?2, ?3, ?4, ?5",
    ...filled.map((field) => `json_extract(?1, '$."${field}"')`),
  ];
  // The parameter is used even if no field is.
  return db.prepare(
    `INSERT INTO "${name}" (${columns.join(", ")}) SELECT ${
      values.join(", ")
    } WHERE ?1 IS NOT NULL`,
  );
}

/** Time stamps are exact, even those that a Number cannot hold. */
function time(columns: EventColumns, row: number): Value {
  const ns = Number(columns.epoch) + columns.ts[row];
  return Number.isSafeInteger(ns) ? ns : held(columns.timeAt(row));
}

function exact(epoch: bigint, offset: number): Value {
  const ns = Number(epoch) + offset;
  return Number.isSafeInteger(ns)
    ? ns
    : held(epoch + BigInt(Math.round(offset)));
}

/** An integer of 64 bits; `null` for others, which a damaged trace may claim. */
function held(value: bigint): bigint | null {
  return value === BigInt.asIntN(64, value) ? value : null;
}
