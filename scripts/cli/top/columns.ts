/**
 * The tables of `xftrace top` and their columns.
 *
 * @module
 */
import { durationText } from "xftrace";
import type { TopSnapshot } from "xftrace/output";
import { shortCount, shortRate } from "./fit.ts";

/** A line of a table. */
export interface TopRow {
  /** What tells it from the others of its table. */
  readonly key: string;
  readonly name: string;
  /** Of a system call: the process that uses it. */
  readonly process?: string;
  /** How deep it lies in what was expanded. */
  readonly level: number;
  readonly calls: number;
  /** These and the rest are NaN where they are not known. */
  readonly rate: number;
  readonly errors: number;
  readonly total: number;
  readonly share: number;
  readonly self: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly foreign: boolean;
  /** The longest call of each of the last intervals, in ns, the newest last. */
  readonly longest: readonly number[];
  /** Whether something below it can be shown, and is. */
  readonly below?: "closed" | "open";
}

/** A column with numbers. */
export interface TopColumn {
  readonly title: string;
  /** The key that sorts by it. */
  readonly key: string;
  readonly width: number;
  /** Columns with higher numbers are left out first where there is no room. */
  readonly spare: number;
  value(row: TopRow): number;
  text(value: number): string;
}

/** A table. */
export interface TopTable {
  readonly name: string;
  readonly title: string;
  /** The title of the column with names. */
  readonly what: string;
  readonly columns: readonly TopColumn[];
  /** What to say if it has no rows. */
  readonly none: string;
}

const time = (value: number) => value === value ? durationText(value) : "-";

const CALLS: TopColumn = {
  title: "CALLS",
  key: "c",
  width: 10,
  spare: 0,
  value: ({ calls }) => calls,
  text: shortCount,
};
const RATE: TopColumn = {
  title: "CALLS/S",
  key: "r",
  width: 8,
  spare: 2,
  value: ({ rate }) => rate,
  text: (value) => value === value ? shortRate(value) : "-",
};
const TIME: TopColumn = {
  title: "TIME",
  key: "t",
  width: 8,
  spare: 0,
  value: ({ total }) => total,
  text: time,
};
const SHARE: TopColumn = {
  title: "TIME/S",
  key: "h",
  width: 8,
  spare: 1,
  value: ({ share }) => 1e9 * share,
  text: time,
};
const SELF: TopColumn = {
  title: "SELF",
  key: "s",
  width: 8,
  spare: 5,
  value: ({ self }) => self,
  text: time,
};
const AVERAGE: TopColumn = {
  title: "AVERAGE",
  key: "a",
  width: 8,
  spare: 4,
  value: ({ total, calls }) => calls > 0 ? total / calls : NaN,
  text: time,
};
const MEDIAN: TopColumn = {
  title: "P50",
  key: "o",
  width: 8,
  spare: 6,
  value: ({ p50 }) => p50,
  text: time,
};
const P99: TopColumn = {
  title: "P99",
  key: "p",
  width: 8,
  spare: 3,
  value: ({ p99 }) => p99,
  text: time,
};
const MAX: TopColumn = {
  title: "MAX",
  key: "m",
  width: 8,
  spare: 3,
  value: ({ max }) => max,
  text: time,
};
const ERRORS: TopColumn = {
  title: "ERRORS",
  key: "e",
  width: 8,
  spare: 2,
  value: ({ errors }) => errors,
  text: (value) => value === value ? shortCount(value) : "-",
};

/** The tables, in their order. */
export const TABLES: readonly TopTable[] = [
  {
    name: "functions",
    title: "Functions",
    what: "FUNCTION",
    columns: [CALLS, RATE, TIME, SHARE, SELF, AVERAGE, MEDIAN, P99, MAX],
    none:
      "No call of a function from its entry to its return yet. `xftrace on FUNCTION` records calls.",
  },
  {
    name: "syscalls",
    title: "System calls",
    what: "SYSTEM CALL",
    columns: [CALLS, RATE, ERRORS, TIME, SHARE, AVERAGE, MAX],
    none:
      "No system call yet. `xftrace on sys_openat sys_read` records some; so do the events `syscalls:*`.",
  },
  {
    name: "events",
    title: "Events",
    what: "EVENT",
    columns: [{ ...CALLS, title: "EVENTS" }, { ...RATE, title: "EVENTS/S" }],
    none: "No event other than calls yet.",
  },
];

/** Stands for the column with names where a column to sort by is named. */
export const BY_NAME = "NAME";

/** The columns for which there is room beside a name of so many columns. */
export function columnsFor(
  { columns }: TopTable,
  width: number,
  name: number,
): TopColumn[] {
  const kept = [...columns];
  const used = () => kept.reduce((sum, column) => sum + column.width + 1, name);
  while (used() > width && kept.length > 1) {
    const most = Math.max(...kept.map(({ spare }) => spare));
    kept.splice(kept.findLastIndex(({ spare }) => spare === most), 1);
  }
  return kept;
}

const UNKNOWN = {
  level: 0,
  rate: NaN,
  errors: NaN,
  total: NaN,
  share: NaN,
  self: NaN,
  p50: NaN,
  p99: NaN,
  max: NaN,
  foreign: false,
  longest: [],
};

/** The rows of a table, in no order, with nothing expanded. */
export function rowsOf(table: TopTable, snapshot: TopSnapshot): TopRow[] {
  switch (table.name) {
    case "functions":
      return snapshot.functions.map((row) => ({
        ...UNKNOWN,
        ...row,
        below: "closed",
      }));
    case "syscalls":
      return snapshot.syscalls.map(({ errors, ...row }) => {
        const sum = [...errors.values()].reduce((sum, n) => sum + n, 0);
        return {
          ...UNKNOWN,
          ...row,
          errors: sum,
          ...(sum > 0 ? { below: "closed" as const } : {}),
        };
      });
    default:
      return snapshot.events.map((row) => ({ ...UNKNOWN, ...row }));
  }
}

/** A row about a part of another one. */
export function partRow(
  of: Pick<TopRow, "key" | "name" | "level" | "calls"> & Partial<TopRow>,
): TopRow {
  return { ...UNKNOWN, ...of };
}
