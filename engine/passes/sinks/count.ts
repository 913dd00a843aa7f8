/**
 * `count(by...)`: how often events occur, by the values of fields.
 *
 * @module
 */
import type { SinkSpec } from "../../query/spec.ts";
import type { Frame } from "../fields/frame.ts";
import { compareKeys, Groups, type Key, keyText } from "./keys.ts";
import { anyOf, type Sink, type SinkContext, type SinkKind } from "./sink.ts";

/** The options of `count(by...)`. */
export interface CountSpec extends SinkSpec {
  readonly kind: "count";
  /** The fields by which to count; none: count all events together. */
  readonly by: readonly string[];
}

/** The result is a table, beginning with the most frequent group. */
export const COUNT: SinkKind<CountSpec, CountTable> = {
  kind: "count",
  text: ({ by }) => `count(${by.join(", ")})`,
  fields: ({ by }) => anyOf(by),
  make: ({ by }, context) => new CountSink(by, context),
};

/** One group of a {@linkcode CountTable}. */
export interface CountRow {
  /** The values of the fields, in the given order of the fields. */
  readonly key: Key;
  readonly count: number;
}

/**
 * How often each value, or each combination of values, occurred.
 *
 * @example
 * ```ts
 * import { comm, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const table = await trace(sys_openat).on(guest).count(comm);
 * for (const { key, count } of table.top(2).rows) console.log(key, count);
 * ```
 */
export class CountTable {
  /** The fields by which the events were counted. */
  readonly by: readonly string[];
  /**
   * The most frequent first; equally frequent ones in the order of their keys.
   */
  readonly rows: readonly CountRow[];

  constructor(by: readonly string[], rows: readonly CountRow[]) {
    this.by = by;
    this.rows = rows;
  }

  /** The number of all events. */
  get total(): number {
    return this.rows.reduce((sum, row) => sum + row.count, 0);
  }

  /** How often these values occurred, which may be 0. */
  get(...key: Key): number {
    return this.rows.find((row) =>
      row.key.length === key.length &&
      row.key.every((part, i) => part === key[i])
    )?.count ?? 0;
  }

  /** A table with only the `n` most frequent groups. */
  top(n: number): CountTable {
    return new CountTable(this.by, this.rows.slice(0, n));
  }

  /** The table as text, with a line for each row. */
  toString(): string {
    if (this.by.length === 0) return `${this.total}\n`;
    if (this.rows.length === 0) return "no events\n";
    const names = this.rows.map((row) => keyText(row.key));
    const width = names.reduce((most, { length }) => Math.max(most, length), 0);
    return this.rows.map((row, i) =>
      `${names[i].padEnd(width)}  ${String(row.count).padStart(8)}\n`
    ).join("");
  }

  /** For JSON.stringify. */
  toJSON(): unknown {
    return this.rows.map(({ key, count }) => ({
      key: key.map((part) =>
        typeof part === "bigint" ? `0x${part.toString(16)}` : part
      ),
      count,
    }));
  }
}

class CountSink implements Sink<CountTable> {
  readonly #by: readonly string[];
  readonly #groups: Groups<{ count: number }>;

  constructor(by: readonly string[], context: SinkContext) {
    this.#by = by;
    this.#groups = new Groups(by, context, () => ({ count: 0 }));
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    if (this.#by.length === 0) {
      if (n > 0) this.#groups.at(frame, rows[0]).count += n;
      return;
    }
    this.#groups.begin();
    for (let i = 0; i < n; i++) this.#groups.at(frame, rows[i]).count++;
  }

  result(): CountTable {
    const rows = this.#groups.entries().map(({ key, state }) => ({
      key,
      count: state.count,
    }));
    rows.sort((a, b) => b.count - a.count || compareKeys(a.key, b.key));
    return new CountTable(this.#by, rows);
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
