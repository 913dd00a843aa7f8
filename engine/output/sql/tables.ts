/**
 * The tables in which a trace is asked about with SQL, and which of their
 * columns a statement can name: only those are filled.
 *
 * @module
 */
import type { TraceFileFacts } from "../writer.ts";

/** A table: its columns with their SQLite types. */
export interface SqlTable {
  readonly name: string;
  readonly columns: readonly (readonly [name: string, type: string])[];
}

/** The tables that are filled. Times are ns of the trace clock. */
export const SQL_TABLES: readonly SqlTable[] = [
  {
    name: "events",
    columns: [
      ["ts", "INTEGER"],
      ["cpu", "INTEGER"],
      ["pid", "INTEGER"],
      ["comm", "TEXT"],
      ["name", "TEXT"],
      ["fields", "TEXT"],
    ],
  },
  {
    name: "calls",
    columns: [
      ["ts", "INTEGER"],
      ["duration", "INTEGER"],
      ["self", "INTEGER"],
      ["cpu", "INTEGER"],
      ["pid", "INTEGER"],
      ["comm", "TEXT"],
      ["func", "TEXT"],
      ["parent", "TEXT"],
      ["depth", "INTEGER"],
      ["outermost", "INTEGER"],
    ],
  },
  {
    name: "losses",
    columns: [["before", "INTEGER"], ["cpu", "INTEGER"], ["lost", "INTEGER"]],
  },
  {
    name: "findings",
    columns: [
      ["check_id", "TEXT"],
      ["severity", "TEXT"],
      ["place", "TEXT"],
      ["address", "TEXT"],
      ["expected", "TEXT"],
      ["found", "TEXT"],
      ["module", "TEXT"],
      ["summary", "TEXT"],
    ],
  },
];

/** A table that follows from another one. */
export interface SqlView {
  readonly name: string;
  readonly of: string;
  readonly select: string;
}

/** The tables that are views of those above. */
export const SQL_VIEWS: readonly SqlView[] = [
  {
    name: "functions",
    of: "calls",
    select:
      "SELECT func, count(*) AS calls, sum(duration) FILTER (WHERE outermost) " +
      "AS total, sum(self) AS self, min(duration) AS min, max(duration) AS max, " +
      "avg(duration) AS mean FROM calls GROUP BY func",
  },
  {
    name: "processes",
    of: "events",
    select: "SELECT pid, max(comm) AS comm, count(*) AS events, " +
      "min(ts) AS first, max(ts) AS last FROM events GROUP BY pid",
  },
];

/** A table of the events of one name, with their fields as columns. */
export interface EventTable {
  readonly name: string;
  readonly fields: readonly string[];
}

/** What each event table begins with: no field of an event has such a name. */
export const COMMON_COLUMNS: readonly (readonly [string, string])[] = [
  ["common_ts", "INTEGER"],
  ["common_cpu", "INTEGER"],
  ["common_pid", "INTEGER"],
  ["common_comm", "TEXT"],
];

/** What a statement can name. */
export interface NamedParts {
  /** Whether a table (or a view of it) can be read. */
  has(table: string): boolean;
  /** Whether a column can be; always, if the statement has a `*`. */
  column(name: string): boolean;
  readonly words: ReadonlySet<string>;
}

/**
 * What a statement can name: each of its words, in comments and strings as well.
 * That may be too much, and is never too little, as SQL has no way to read a
 * column without its name but `*` and natural joins.
 */
export function namedIn(sql: string): NamedParts {
  const words = new Set(sql.toLowerCase().match(/[\w$]+/g) ?? []);
  const counted = sql.replace(/count\s*\(\s*\*\s*\)/gi, "");
  const all = counted.includes("*") || words.has("natural");
  const views = SQL_VIEWS.filter(({ name }) => words.has(name));
  // The words of a view's own statement are read as well.
  const behind = new Set(
    views.flatMap(({ select }) => select.toLowerCase().match(/[\w$]+/g) ?? []),
  );
  return {
    words,
    has: (table) => words.has(table) || views.some((view) => view.of === table),
    column: (name) => all || words.has(name) || behind.has(name),
  };
}

/**
 * The events that a statement names as tables, by the guest's own list.
 *
 * @throws nothing: a format that cannot be read has no table.
 */
export function eventTables(
  words: ReadonlySet<string>,
  file: Pick<TraceFileFacts, "formats"> | undefined,
): EventTable[] {
  const own = new Set(
    [...SQL_TABLES, ...SQL_VIEWS].map(({ name }) => name),
  );
  const found = new Map<string, EventTable>();
  for (const { text } of file?.formats() ?? []) {
    const name = /^name: (\w+)$/m.exec(text)?.[1];
    if (name === undefined || !words.has(name.toLowerCase())) continue;
    if (own.has(name.toLowerCase()) || found.has(name)) continue;
    const fields: string[] = [];
    for (const [, field] of text.matchAll(FIELD)) {
      // Two columns of a table may not differ in their letters' case alone.
      const taken = fields.some((other) =>
        other.toLowerCase() === field.toLowerCase()
      );
      if (!field.startsWith("common_") && !taken) fields.push(field);
    }
    found.set(name, { name, fields });
  }
  return [...found.values()];
}

/** `field:char comm[16];`, `field:__data_loc char[] name;` */
const FIELD = /^\s*field:[^;]*?(\w+)(?:\[[^\];]*\])?;/gm;
