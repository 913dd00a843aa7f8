/**
 * The rows of a table of `xftrace top` as they are shown: filtered, sorted, and
 * with what is expanded.
 *
 * @module
 */
import { constants } from "node:os";
import type { TopSnapshot } from "xftrace/output";
import {
  partRow,
  rowsOf,
  type TopColumn,
  type TopRow,
  type TopTable,
} from "./columns.ts";

/** The most rows below one that is expanded. */
const MOST_BELOW = 200;

/** How a table is shown. */
export interface Arrangement {
  /** The column to sort by; `undefined`: by name. */
  readonly sort: TopColumn | undefined;
  readonly reverse: boolean;
  /** Only what has this in its name, or as `*` pattern. */
  readonly filter: string;
  /** Keys of what is expanded. */
  readonly expanded: ReadonlySet<string>;
}

/** A test for names; an empty text lets all pass. */
export function nameFilter(text: string): (name: string) => boolean {
  const wanted = text.toLowerCase();
  if (!wanted.includes("*")) {
    return (name) => name.toLowerCase().includes(wanted);
  }
  const parts = wanted.split("*");
  return (name) => {
    const own = name.toLowerCase();
    if (!own.startsWith(parts[0])) return false;
    let at = parts[0].length;
    for (const part of parts.slice(1, -1)) {
      const found = own.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    const last = parts[parts.length - 1];
    return own.length - last.length >= at && own.endsWith(last);
  };
}

/** The rows that are shown, in their order. */
export function arranged(
  table: TopTable,
  snapshot: TopSnapshot,
  how: Arrangement,
): TopRow[] {
  const passes = nameFilter(how.filter);
  const rows = rowsOf(table, snapshot).filter(({ name, process = "" }) =>
    passes(name) || passes(process)
  );
  const below = new Below(table, snapshot, how);
  return sorted(rows, how).flatMap((row) => below.with(row));
}

function sorted(rows: TopRow[], { sort, reverse }: Arrangement): TopRow[] {
  const sign = reverse ? -1 : 1;
  const byName = (a: TopRow, b: TopRow) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : a.key < b.key ? -1 : 1;
  if (sort === undefined) {
    return rows.sort((a, b) => sign * byName(a, b));
  }
  // What is not known comes last, in either order.
  const value = (row: TopRow) => {
    const value = sort.value(row);
    return value === value ? value : -sign * Infinity;
  };
  return rows.map((row) => ({ row, value: value(row) }))
    .sort((a, b) =>
      a.value === b.value
        ? byName(a.row, b.row)
        : sign * (a.value < b.value ? 1 : -1)
    ).map(({ row }) => row);
}

/** Finds what is below rows that are expanded. */
class Below {
  readonly #table: TopTable;
  readonly #snapshot: TopSnapshot;
  readonly #how: Arrangement;

  readonly #foreign: ReadonlySet<number>;

  constructor(table: TopTable, snapshot: TopSnapshot, how: Arrangement) {
    this.#foreign = new Set(
      snapshot.functions.flatMap(({ id, foreign }) => foreign ? [id] : []),
    );
    this.#table = table;
    this.#snapshot = snapshot;
    this.#how = how;
  }

  /** A row, and what is below it if it is expanded. */
  with(row: TopRow): TopRow[] {
    if (row.below === undefined || !this.#how.expanded.has(row.key)) {
      return [row];
    }
    const open: TopRow = { ...row, below: "open" };
    if (this.#table.name === "syscalls") return [open, ...this.#errors(row)];
    const func = this.#snapshot.functions.find(({ key }) => key === row.key);
    return func === undefined
      ? [row]
      : [open, ...this.#callees(row.key, [func.id])];
  }

  /** The functions that the last one of a path calls, and what they call. */
  #callees(key: string, path: readonly number[]): TopRow[] {
    const { graph, nameOf } = this.#snapshot;
    const foreign = this.#foreign;
    const rows = graph.calleesOf(path).map(({ name, ...sums }) => ({
      id: name,
      row: partRow({
        key: `${key}/${name}`,
        name: nameOf(name),
        level: path.length,
        ...sums,
        foreign: foreign.has(name),
        ...(graph.calleesOf([...path, name]).length > 0
          ? { below: "closed" as const }
          : {}),
      }),
    }));
    const ids = new Map(rows.map(({ id, row }) => [row.key, id]));
    return sorted(rows.map(({ row }) => row), this.#how)
      .slice(0, MOST_BELOW).flatMap((row) =>
        this.#how.expanded.has(row.key)
          ? [
            { ...row, below: "open" as const },
            ...this.#callees(row.key, [...path, ids.get(row.key)!]),
          ]
          : [row]
      );
  }

  /** The errors that a system call returned to a process. */
  #errors({ key }: TopRow): TopRow[] {
    const call = this.#snapshot.syscalls.find((row) => row.key === key);
    return [...call?.errors ?? []].sort(([, a], [, b]) => b - a)
      .slice(0, MOST_BELOW)
      .map(([error, calls]) =>
        partRow({
          key: `${key}/${error}`,
          name: errorName(error),
          process: "",
          level: 1,
          calls,
        })
      );
  }
}

/** Names of errors; their numbers are those of this host's Linux. */
const ERRORS = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

function errorName(error: number): string {
  return ERRORS.get(error) ?? `error ${error}`;
}
