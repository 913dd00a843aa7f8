/**
 * A trace as tables, and one SQL statement over them.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { EXIT, XftraceError } from "../../base/errors.ts";
import type { Finding } from "../../detect/finding.ts";
import type { TraceWriter } from "../writer.ts";
import { SqlWriter } from "./sql_writer.ts";
import {
  COMMON_COLUMNS,
  type EventTable,
  namedIn,
  type NamedParts,
  SQL_TABLES,
  SQL_VIEWS,
} from "./tables.ts";

/** A value of a result. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** What a statement gives. */
export interface SqlResult {
  readonly columns: readonly string[];
  /** The rows, one at a time. */
  rows(): Iterable<readonly SqlValue[]>;
}

/** The most bytes that the tables take, unless the caller says otherwise. */
const MOST_BYTES = 2 ** 31;
/** KiB of tables on disk that are in memory as well. */
const CACHE = 8 << 10;
/** Texts, quoted names and comments, which may hold a semicolon. */
const QUOTED =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g;
/** The table of the result: no statement reads it. */
const RESULT = "result of the statement";

/**
 * A database for one statement, in temporary files without a name (in memory, if
 * this process may not write): it has the tables that the statement
 * can name, and of these, only the columns that it can name are filled. Other
 * databases and files cannot be reached from it.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance, readBuffers } from "xftrace/ftrace";
 * import {
 *   guestTextOptions,
 *   TraceDatabase,
 *   traceFileFacts,
 *   traceMeta,
 *   writeBuffers,
 * } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * const file = traceFileFacts(instance, events);
 * using database = new TraceDatabase("SELECT name, count(*) FROM events GROUP BY 1");
 * const meta = traceMeta(instance, events, layout);
 * const options = guestTextOptions(instance);
 * writeBuffers(
 *   readBuffers(instance, layout),
 *   { meta, options, file },
 *   database.writer(),
 * );
 * for (const [name, count] of database.result().rows()) console.log(name, count);
 * ```
 */
export class TraceDatabase implements Disposable {
  readonly #sql: string;
  readonly #named: NamedParts;
  readonly #db: DatabaseSync;
  readonly #mostBytes: number;
  #tables = false;

  /**
   * @param sql one statement, of this user's
   * @param mostBytes the most bytes that its tables may take
   */
  constructor(sql: string, mostBytes: number = MOST_BYTES) {
    this.#sql = sql;
    this.#named = namedIn(sql);
    this.#mostBytes = mostBytes;
    this.#db = newDatabase();
    const page = Number(
      this.#db.prepare("PRAGMA page_size").get()?.page_size ?? 1,
    );
    this.#db.exec(
      `PRAGMA max_page_count = ${
        Math.ceil(mostBytes / page)
      }; PRAGMA trusted_schema = OFF`,
    );
  }

  /** Whether the statement can ask for the findings of `check`. */
  get asksForFindings(): boolean {
    return this.#named.has("findings");
  }

  /**
   * A writer that makes the tables, and fills them with a trace. It throws an
   * {@linkcode XftraceError} when the statement cannot be used.
   */
  writer(): TraceWriter {
    return new SqlWriter(
      this.#db,
      this.#named,
      (events) => this.#create(events),
      (error) => {
        throw this.#failed(error);
      },
    );
  }

  /** Adds findings of `check`. */
  findings(all: Iterable<Finding>): void {
    this.#create([]);
    const insert = this.#db.prepare(
      "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    for (const each of all) {
      insert.run(
        each.check,
        each.severity,
        each.where,
        `0x${each.address.toString(16)}`,
        each.expected ?? null,
        each.found ?? null,
        each.module ?? null,
        each.summary,
      );
    }
  }

  /**
   * Runs the statement.
   *
   * @throws {XftraceError} when it fails, or is none that reads.
   */
  result(): SqlResult {
    this.#create([]);
    const columns = this.#prepare().columns().map(({ name }) => name);
    if (columns.length === 0) {
      throw new XftraceError(
        "this statement gives no rows: `xftrace sql` takes one that reads, such as SELECT",
        { exitCode: EXIT.usage },
      );
    }
    // Stepping through a statement's rows does not tell of an error (seen with
    // Deno 2.9), and would end as if there were no more. Making a table does.
    try {
      this.#db.prepare(`CREATE TABLE "${RESULT}" AS ${this.#sql}`).run();
    } catch (error) {
      throw this.#failed(error);
    }
    const statement = this.#db.prepare(
      `SELECT * FROM "${RESULT}" ORDER BY rowid`,
    );
    statement.setReadBigInts(true);
    returnArrays(statement);
    return {
      columns,
      *rows() {
        for (const row of statement.iterate()) {
          // They are arrays, as was asked for above.
          const values: unknown = row;
          yield values as readonly SqlValue[];
        }
      },
    };
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #create(events: readonly EventTable[]): void {
    if (this.#tables) return;
    this.#tables = true;
    for (const { name, columns } of SQL_TABLES) {
      this.#table(name, columns);
    }
    for (const { name, select } of SQL_VIEWS) {
      this.#db.exec(`CREATE VIEW ${name} AS ${select}`);
    }
    for (const { name, fields } of events) {
      this.#table(name, [
        ...COMMON_COLUMNS,
        // Without a type, each value keeps its own.
        ...fields.map((field) => [field, ""] as const),
      ]);
    }
    // A wrong statement is told before anything is read.
    this.#prepare();
  }

  #table(
    name: string,
    columns: readonly (readonly [string, string])[],
  ): void {
    const list = columns.map(([column, type]) => `"${column}" ${type}`);
    try {
      this.#db.exec(`CREATE TABLE "${name}" (${list.join(", ")})`);
    } catch (error) {
      // A hostile format may have more fields than a table has columns.
      throw this.#failed(error);
    }
  }

  #prepare(): StatementSync {
    // SQLite would pass over all but the first.
    const bare = this.#sql.replace(
      QUOTED,
      (quoted) => /^[-/]/.test(quoted) ? " " : "''",
    );
    if (/;[\s;]*[^\s;]/.test(bare)) {
      throw new XftraceError(
        "SQL: there is more than one statement: give them one at a time",
        { exitCode: EXIT.usage },
      );
    }
    try {
      return this.#db.prepare(this.#sql);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): XftraceError {
    const message = error instanceof Error ? error.message : String(error);
    if (/database or disk is full|out of memory/.test(message)) {
      return new XftraceError(
        `the columns that this statement names take more than ${
          Math.floor(this.#mostBytes / 2 ** 20)
        } MiB: name fewer of them, without *, or read one CPU with --only-cpu`,
      );
    }
    const tables = [
      ...SQL_TABLES.map((table) => table.name),
      ...SQL_VIEWS.map((view) => view.name),
    ];
    const hint = /no such table/.test(message)
      ? `; there are ${
        tables.join(", ")
      }, and each event of the guest by its name`
      : "";
    return new XftraceError(`SQL: ${message}${hint}`, {
      exitCode: EXIT.usage,
    });
  }
}

/**
 * An empty database. SQLite keeps one without a name in a file that is gone when
 * it is closed, and reads and writes as much of it as does not fit into its
 * cache; what it sorts, too.
 */
function newDatabase(): DatabaseSync {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync("");
  } catch {
    // Not allowed to write: a recording can be read with --allow-read alone.
    db = new DatabaseSync(":memory:");
    db.exec("PRAGMA temp_store = MEMORY");
    return db;
  }
  db.exec(
    `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = ${-CACHE}`,
  );
  return db;
}

/**
 * Makes rows arrays: as objects, columns of one name would be one. (The types
 * that come with Deno 2.9 lack this function.)
 */
function returnArrays(statement: object): void {
  if (
    "setReturnArrays" in statement &&
    typeof statement.setReturnArrays === "function"
  ) statement.setReturnArrays(true);
}
