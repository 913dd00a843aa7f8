/**
 * `hist(field, by...)` and `lhist(field, buckets, by...)`: histograms with
 * buckets that are powers of two or have equal widths, drawn in the way of
 * bpftrace.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
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

/** Buckets of equal width instead of powers of two. */
export interface LinearBuckets {
  /** Values below this share one bucket. */
  readonly from: number;
  /** Values from here on share one bucket. */
  readonly to: number;
  readonly step: number;
}

/** A greater number of buckets would be unreadable. */
const MOST_BUCKETS = 10_000;

/** The options of `hist(field, by...)` and `lhist(field, buckets, by...)`. */
export interface HistSpec extends SinkSpec {
  readonly kind: "hist";
  readonly field: string;
  readonly by: readonly string[];
  /** Buckets of equal width instead of powers of two. */
  readonly linear?: LinearBuckets;
}

/** The result is a histogram for each group. */
export const HIST: SinkKind<HistSpec, HistTable> = {
  kind: "hist",
  text: ({ field, by, linear }) => {
    const steps = linear === undefined
      ? ""
      : `, ${linear.from} to ${linear.to} by ${linear.step}`;
    return `hist(${[field, ...by].join(", ")}${steps})`;
  },
  fields: ({ field, by }) => [...anyOf(by), numberOf(field)],
  problem: ({ linear }) => {
    if (linear === undefined) return undefined;
    const { from, to, step } = linear;
    return step > 0 && to > from && (to - from) / step <= MOST_BUCKETS
      ? undefined
      : `buckets from ${from} to ${to} by ${step} are impossible: step must be above 0, to must be above from, and there may be at most ${MOST_BUCKETS} buckets`;
  },
  make: ({ field, by, linear }, context) =>
    new HistSink(field, by, linear, context),
};

/** A bucket: values from `low` (included) to `high` (excluded). */
export interface Bucket {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** The histogram of one group. */
export interface HistRow {
  readonly key: Key;
  /** From the first bucket that is not empty to the last one. */
  readonly buckets: readonly Bucket[];
}

/** Maximum length of a bar, in characters. */
const BAR = 52;
/** Bucket 0: negative; 1: zero; 2 + k: [2^k, 2^(k+1)). */
const POWERS = 66;

/**
 * Histograms of a field, one for each group.
 *
 * @example
 * ```ts
 * import { duration, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const table = await trace(sys_openat).on(guest).hist(duration);
 * for (const { low, high, count } of table.rows[0].buckets) {
 *   console.log(low, high, count);
 * }
 * ```
 */
export class HistTable {
  readonly field: string;
  readonly by: readonly string[];
  /** Sorted by their keys. */
  readonly rows: readonly HistRow[];
  readonly #unit: string;
  readonly #linear: boolean;

  constructor(
    field: string,
    by: readonly string[],
    rows: readonly HistRow[],
    unit: string,
    linear: boolean,
  ) {
    this.field = field;
    this.by = by;
    this.rows = rows;
    this.#unit = unit;
    this.#linear = linear;
  }

  /** The histogram of a group; without arguments, that of the only group. */
  get(...key: Key): HistRow | undefined {
    return this.rows.find((row) => row.key.every((part, i) => part === key[i]));
  }

  /** The histograms as text, one after the other. */
  toString(): string {
    if (this.rows.length === 0) return "no events\n";
    return this.rows.map((row) => {
      const title = row.key.length === 0 ? "" : `, ${keyText(row.key)}`;
      const unit = this.#unit === "" ? "" : ` (${this.#unit})`;
      return `${shown(this.field)}${unit}${title}\n${this.#draw(row.buckets)}`;
    }).join("\n");
  }

  #draw(buckets: readonly Bucket[]): string {
    const most = Math.max(...buckets.map((bucket) => bucket.count));
    return buckets.map((bucket) => {
      const bar = "@".repeat(Math.floor(bucket.count * BAR / most));
      return `${this.#label(bucket).padEnd(16)}${
        String(bucket.count).padStart(8)
      } |${bar.padEnd(BAR)}|\n`;
    }).join("");
  }

  #label({ low, high }: Bucket): string {
    const number = this.#linear ? String : short;
    if (low === -Infinity) return `(..., ${number(high)})`;
    if (high === Infinity) return `[${number(low)}, ...)`;
    if (!this.#linear && high - low === 1) return `[${number(low)}]`;
    return `[${number(low)}, ${number(high)})`;
  }

  /** For JSON.stringify. */
  toJSON(): unknown {
    return this.rows.map(({ key, buckets }) => ({
      key: key.map((part) =>
        typeof part === "bigint" ? `0x${part.toString(16)}` : part
      ),
      buckets: buckets.map(({ low, high, count }) => ({
        low: Number.isFinite(low) ? low : null,
        high: Number.isFinite(high) ? high : null,
        count,
      })),
    }));
  }
}

/** 1024-based, like the labels of bpftrace: `4K`, `2M`. */
function short(value: number): string {
  const units = ["", "K", "M", "G", "T", "P"];
  let unit = 0;
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${units[unit]}`;
}

function powerBucket(value: number): number {
  if (value < 0) return 0;
  if (value < 1) return 1;
  // Math.log2 rounds up just below a power of two; counting leading zeros does
  // not.
  if (value < 4294967296) return 33 - Math.clz32(value);
  return 65 - Math.clz32(Math.min(value / 4294967296, 4294967295));
}

class HistSink implements Sink<HistTable> {
  readonly #field: string;
  readonly #by: readonly string[];
  readonly #linear: LinearBuckets | undefined;
  readonly #access: Access | undefined;
  readonly #groups: Groups<Float64Array>;
  readonly #unit: string;
  #values = new Float64Array(0);

  constructor(
    field: string,
    by: readonly string[],
    linear: LinearBuckets | undefined,
    context: SinkContext,
  ) {
    this.#field = field;
    this.#by = by;
    this.#linear = linear;
    this.#access = context.access(field);
    this.#unit = unitOf(context.fields.get(field));
    const size = linear === undefined
      ? POWERS
      : Math.ceil((linear.to - linear.from) / linear.step) + 2;
    this.#groups = new Groups(
      by,
      context,
      () => new Float64Array(size),
      64 + 8 * size,
    );
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    const access = this.#access;
    if (access?.shape !== "number") return;
    if (this.#values.length < n) this.#values = new Float64Array(n);
    access.load(frame, rows, n, this.#values);
    this.#groups.begin();
    for (let i = 0; i < n; i++) {
      const value = this.#values[i];
      if (!(value === value)) continue;
      const counts = this.#groups.at(frame, rows[i]);
      counts[this.#bucket(value, counts.length)]++;
    }
  }

  #bucket(value: number, size: number): number {
    const linear = this.#linear;
    if (linear === undefined) return powerBucket(value);
    if (value < linear.from) return 0;
    if (value >= linear.to) return size - 1;
    return 1 + Math.floor((value - linear.from) / linear.step);
  }

  result(): HistTable {
    const rows = this.#groups.entries().map(({ key, state }) => ({
      key,
      buckets: this.#buckets(state),
    }));
    rows.sort((a, b) => compareKeys(a.key, b.key));
    return new HistTable(
      this.#field,
      this.#by,
      rows,
      this.#unit,
      this.#linear !== undefined,
    );
  }

  #buckets(counts: Float64Array): Bucket[] {
    let first = 0;
    while (counts[first] === 0) first++;
    let last = counts.length - 1;
    while (counts[last] === 0) last--;
    const buckets: Bucket[] = [];
    for (let i = first; i <= last; i++) {
      buckets.push({ ...this.#range(i, counts.length), count: counts[i] });
    }
    return buckets;
  }

  #range(i: number, size: number): { low: number; high: number } {
    const linear = this.#linear;
    if (linear === undefined) {
      if (i === 0) return { low: -Infinity, high: 0 };
      if (i === 1) return { low: 0, high: 1 };
      return { low: 2 ** (i - 2), high: 2 ** (i - 1) };
    }
    if (i === 0) return { low: -Infinity, high: linear.from };
    if (i === size - 1) return { low: linear.to, high: Infinity };
    const low = linear.from + (i - 1) * linear.step;
    return { low, high: Math.min(low + linear.step, linear.to) };
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

/** The unit of a kind of number, as shown in a heading. */
function unitOf(kind: FieldKind | undefined): string {
  if (kind === "duration" || kind === "time") return "ns";
  return kind === "size" ? "bytes" : "";
}
