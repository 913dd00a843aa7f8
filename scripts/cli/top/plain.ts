/**
 * What `xftrace top` prints where there is no terminal: lines, or JSON.
 *
 * @module
 */
import { shown, shownJson } from "xftrace";
import { BY_NAME, TABLES, type TopRow } from "./columns.ts";
import { fit, fitRight } from "./fit.ts";
import { headLines } from "./head.ts";
import { arranged, nameFilter } from "./rows.ts";
import type { Shown, ViewOptions } from "./view.ts";

/** Which lines to print. */
export interface PlainOptions extends ViewOptions {
  /** Rows of each table. */
  readonly rows: number;
}

const NOTHING: ReadonlySet<string> = new Set();

/** The first rows of a table. */
function firstRows(
  { snapshot }: Shown,
  table: typeof TABLES[number],
  { sort, filter = "", rows }: PlainOptions,
): TopRow[] {
  // A table without this column is sorted as it is without a wish.
  const byTime = table.columns.find(({ key }) => key === "t") ??
    table.columns[0];
  const column = sort === BY_NAME
    ? undefined
    : table.columns.find(({ title }) => title === sort) ?? byTime;
  return arranged(table, snapshot, {
    sort: column,
    reverse: false,
    filter,
    expanded: NOTHING,
  }).slice(0, rows);
}

/** All tables that have rows, as lines. */
export function plainLines(what: Shown, options: PlainOptions): string[] {
  const lines = headLines(what.facts, what.snapshot)
    .map(({ text }) => shown(text));
  for (const table of TABLES) {
    if (options.table !== undefined && options.table !== table) continue;
    const rows = firstRows(what, table, options);
    if (rows.length === 0) {
      if (options.table !== undefined) lines.push("", table.none);
      continue;
    }
    const own = rows.some(({ process }) => process !== undefined);
    const cells = (text: (column: typeof table.columns[number]) => string) =>
      table.columns.map((column) => fitRight(text(column), column.width))
        .join(" ");
    lines.push(
      "",
      `${cells(({ title }) => title)} ${
        own ? fit("PROCESS", 24) : ""
      }${table.what}`,
      ...rows.map((row) =>
        `${cells((column) => column.text(column.value(row)))} ${
          own ? fit(shown(row.process ?? ""), 23) + " " : ""
        }${shown(row.name)}${row.foreign ? "  (foreign)" : ""}`
      ),
    );
  }
  return [...lines, ""];
}

/** One line of JSON for an interval; times in ns. */
export function jsonLine(what: Shown, options: PlainOptions): string {
  const { facts, snapshot } = what;
  const { seal, ...rest } = facts;
  const passes = nameFilter(options.filter ?? "");
  const rows = (name: string) =>
    firstRows(what, TABLES.find((table) => table.name === name)!, options);
  const times = ({ name, calls, rate, total, share, max }: TopRow) => ({
    name,
    calls,
    rate,
    total,
    share,
    max,
  });
  return shownJson(JSON.stringify({
    time: new Date().toISOString(),
    ...rest,
    seal: seal ?? null,
    events: snapshot.count,
    lostByCpu: Object.fromEntries(snapshot.lost),
    foreignCalls: snapshot.foreign,
    longest: snapshot.longest.at(-1) ?? 0,
    functions: rows("functions").map((row) => ({
      ...times(row),
      self: row.self,
      p50: row.p50,
      p99: row.p99,
      foreign: row.foreign,
    })),
    syscalls: rows("syscalls").map((row) => ({
      ...times(row),
      process: row.process,
      errors: row.errors,
    })),
    byEvent: Object.fromEntries(
      snapshot.events.filter(({ name }) => passes(name))
        .map(({ name, calls }) => [name, calls]),
    ),
    leftOut: snapshot.leftOut,
  }));
}
