/**
 * Rows of a query as a table, JSON or CSV.
 *
 * @module
 */
import { shown, shownJson } from "xftrace";
import type { SqlResult, SqlValue } from "xftrace/output";

/** How rows are written. */
export const SQL_MODES = ["table", "json", "csv"] as const;

/** One of {@linkcode SQL_MODES}. */
export type SqlMode = typeof SQL_MODES[number];

/** Rows that are looked at before the columns of a table get their widths. */
const MEASURED = 1000;
/** The widest column of a table, in characters. */
const WIDEST = 60;

/**
 * The lines of a result, each with its line end.
 *
 * @param escaped whether control characters of the guest's texts are escaped in
 * CSV; in the other forms, they always are
 */
export function* sqlLines(
  { columns, rows }: SqlResult,
  mode: SqlMode,
  escaped: boolean,
): Generator<string> {
  if (mode === "json") yield* jsonLines(columns, rows());
  else if (mode === "csv") yield* csvLines(columns, rows(), escaped);
  else yield* tableLines(columns, rows());
}

function text(value: SqlValue): string {
  if (value === null) return "";
  return value instanceof Uint8Array ? value.toHex() : String(value);
}

/** One object for each row; integers are written with all their digits. */
function* jsonLines(
  columns: readonly string[],
  rows: Iterable<readonly SqlValue[]>,
): Generator<string> {
  let before = "[\n";
  for (const row of rows) {
    const members = row.map((value, i) =>
      `${JSON.stringify(columns[i])}: ${json(value)}`
    );
    yield `${before}  ${shownJson(`{ ${members.join(", ")} }`)}`;
    before = ",\n";
  }
  yield before === "[\n" ? "[]\n" : "\n]\n";
}

function json(value: SqlValue): string {
  return typeof value === "bigint"
    ? String(value)
    : JSON.stringify(value instanceof Uint8Array ? text(value) : value);
}

function* csvLines(
  columns: readonly string[],
  rows: Iterable<readonly SqlValue[]>,
  escaped: boolean,
): Generator<string> {
  const line = (values: readonly string[]) =>
    values.map((value) => csv(escaped ? shown(value) : value)).join(",") +
    "\r\n";
  yield line(columns);
  for (const row of rows) yield line(row.map(text));
}

/** RFC 4180. */
function csv(value: string): string {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function* tableLines(
  columns: readonly string[],
  rows: Iterable<readonly SqlValue[]>,
): Generator<string> {
  const first: (readonly SqlValue[])[] = [];
  const iterator = rows[Symbol.iterator]();
  let next = iterator.next();
  while (next.done !== true && first.length < MEASURED) {
    first.push(next.value);
    next = iterator.next();
  }
  const names = columns.map(shown);
  const widths = names.map((name, i) =>
    first.reduce(
      (most, row) =>
        Math.max(most, Math.min(WIDEST, shown(text(row[i])).length)),
      name.length,
    )
  );
  // Numbers are aligned by their last digit.
  const right = names.map((_, i) =>
    first.some((row) => row[i] !== null) &&
    first.every((row) => row[i] === null || isNumber(row[i]))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) =>
      right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
    ).join("  ").trimEnd() + "\n";
  yield line(names);
  yield line(widths.map((width) => "-".repeat(width)));
  for (const row of first) yield line(row.map((each) => shown(text(each))));
  for (; next.done !== true; next = iterator.next()) {
    yield line(next.value.map((each) => shown(text(each))));
  }
}

function isNumber(value: SqlValue): boolean {
  return typeof value === "number" || typeof value === "bigint";
}
