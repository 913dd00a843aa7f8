/**
 * `stats(field, by...)`: count, mean, sum, minimum and maximum of a field.
 *
 * @module
 */
import type { Access } from "../fields/access.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { SinkSpec } from "../../query/spec.ts";
import type { Frame } from "../fields/frame.ts";
import { compareKeys, Groups, type Key, keyText } from "./keys.ts";
import {
  anyOf,
  numberOf,
  type Sink,
  type SinkContext,
  type SinkKind,
} from "./sink.ts";
import { valueText } from "../fields/values.ts";

/** The options of `stats(field, by...)`. */
export interface StatsSpec extends SinkSpec {
  readonly kind: "stats";
  readonly field: string;
  readonly by: readonly string[];
}

/** The result is a table, beginning with the greatest total. */
export const STATS: SinkKind<StatsSpec, StatsTable> = {
  kind: "stats",
  text: ({ field, by }) => `stats(${[field, ...by].join(", ")})`,
  fields: ({ field, by }) => [...anyOf(by), numberOf(field)],
  make: ({ field, by }, context) => new StatsSink(field, by, context),
};

/** The statistics of a group. */
export interface StatsRow {
  readonly key: Key;
  readonly count: number;
  readonly total: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Statistics of a field, with a row for each group.
 *
 * @example
 * ```ts
 * import { comm, duration, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const table = await trace(sys_openat).on(guest).stats(duration, comm);
 * console.log(table.get("ls")?.mean);
 * ```
 */
export class StatsTable {
  readonly field: string;
  readonly by: readonly string[];
  /** The greatest total first; equal ones in the order of their keys. */
  readonly rows: readonly StatsRow[];
  readonly #kind: FieldKind | undefined;

  constructor(
    field: string,
    by: readonly string[],
    rows: readonly StatsRow[],
    kind: FieldKind | undefined,
  ) {
    this.field = field;
    this.by = by;
    this.rows = rows;
    this.#kind = kind;
  }

  /** The row of a group; without arguments, that of the only group. */
  get(...key: Key): StatsRow | undefined {
    return this.rows.find((row) => row.key.every((part, i) => part === key[i]));
  }

  /** The table as text, with a line for each group. */
  toString(): string {
    if (this.rows.length === 0) return "no events\n";
    const value = (number: number) =>
      this.#kind === "duration"
        ? valueText(number, this.#kind)
        : String(Math.round(number * 100) / 100);
    const head = [this.by.join(", "), "COUNT", "MEAN", "MIN", "MAX", "TOTAL"];
    const cells = [
      head,
      ...this.rows.map((row) => [
        keyText(row.key),
        String(row.count),
        value(row.mean),
        value(row.min),
        value(row.max),
        value(row.total),
      ]),
    ];
    const widths = head.map((_, i) =>
      cells.reduce((most, row) => Math.max(most, row[i].length), 0)
    );
    return cells.map((row) =>
      row.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
      ).join("  ").trimEnd() + "\n"
    ).join("");
  }

  /** For JSON.stringify. */
  toJSON(): unknown {
    return this.rows;
  }
}

interface Sums {
  count: number;
  total: number;
  min: number;
  max: number;
}

class StatsSink implements Sink<StatsTable> {
  readonly #field: string;
  readonly #by: readonly string[];
  readonly #access: Access | undefined;
  readonly #kind: FieldKind | undefined;
  readonly #groups: Groups<Sums>;

  constructor(field: string, by: readonly string[], context: SinkContext) {
    this.#field = field;
    this.#by = by;
    this.#access = context.access(field);
    this.#kind = context.fields.get(field);
    this.#groups = new Groups(by, context, () => ({
      count: 0,
      total: 0,
      min: Infinity,
      max: -Infinity,
    }));
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    const access = this.#access;
    if (access?.shape !== "number") return;
    this.#groups.begin();
    for (let i = 0; i < n; i++) {
      const value = access.at(frame, rows[i]);
      if (!(value === value)) continue;
      const sums = this.#groups.at(frame, rows[i]);
      sums.count++;
      sums.total += value;
      if (value < sums.min) sums.min = value;
      if (value > sums.max) sums.max = value;
    }
  }

  result(): StatsTable {
    const rows = this.#groups.entries().map(({ key, state }) => ({
      key,
      ...state,
      mean: state.total / state.count,
    }));
    rows.sort((a, b) => b.total - a.total || compareKeys(a.key, b.key));
    return new StatsTable(this.#field, this.#by, rows, this.#kind);
  }

  text(): string {
    return this.result().toString();
  }

  /** See {@linkcode Sink}. */
  get leftOut(): string | undefined {
    return this.#groups.leftOut;
  }

  clear(): void {
    this.#groups.clear();
  }
}
