/**
 * How often each verdict was given in each epoch, in typed arrays: there may be
 * hundreds of thousands of epochs, and most have verified entries alone.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import {
  addCounts,
  noCounts,
  type Verdict,
  type VerdictCounts,
  VERDICTS,
} from "./verdicts.ts";

/** Rows of a column at the beginning. */
const FIRST_ROWS = 64;
/** More than a key log can have keys; a column may be twice as long. */
const MOST_ROWS = 2 ** 24;

/** The counts of some epochs, in the order in which they were added. */
export class EpochCounts implements ReadonlyMap<number, VerdictCounts> {
  /** The row of each epoch. */
  readonly #rows = new Map<number, number>();
  readonly #free: number[] = [];
  /** One for each verdict, as long as its last count that is not zero needs. */
  readonly #columns: Record<Verdict, Float64Array>;

  constructor() {
    const none = new Float64Array(0);
    this.#columns = {
      verified: none,
      forged: none,
      missing: none,
      replayed: none,
      reordered: none,
      early: none,
      late: none,
      lost: none,
    };
  }

  /** The row of an epoch, which is added if it is not there. */
  row(epoch: number): number {
    let row = this.#rows.get(epoch);
    if (row === undefined) {
      row = this.#free.pop() ?? this.#rows.size;
      this.#rows.set(epoch, row);
    }
    return row;
  }

  /** Adds to a count of a row. */
  add(row: number, verdict: Verdict, count: number): void {
    let column = this.#columns[verdict];
    if (row >= column.length) {
      let rows = Math.max(FIRST_ROWS, 2 * column.length);
      while (rows <= row) rows *= 2;
      const longer = allocateWords(
        Float64Array,
        rows,
        MOST_ROWS,
        "the counts of a CPU's epochs",
      );
      longer.set(column);
      column = longer;
      this.#columns[verdict] = column;
    }
    column[row] += count;
  }

  /** Removes the epoch that was added first, and adds its counts to others. */
  removeOldest(to: VerdictCounts): void {
    for (const [epoch, row] of this.#rows) {
      addCounts(to, this.#at(row));
      for (const verdict of VERDICTS) {
        const column = this.#columns[verdict];
        if (row < column.length) column[row] = 0;
      }
      this.#rows.delete(epoch);
      this.#free.push(row);
      return;
    }
  }

  #at(row: number): VerdictCounts {
    const counts = noCounts();
    for (const verdict of VERDICTS) {
      counts[verdict] = this.#columns[verdict][row] ?? 0;
    }
    return counts;
  }

  /** Number of epochs. */
  get size(): number {
    return this.#rows.size;
  }

  /** Whether an epoch is there. */
  has(epoch: number): boolean {
    return this.#rows.has(epoch);
  }

  /** A copy of the counts of an epoch. */
  get(epoch: number): VerdictCounts | undefined {
    const row = this.#rows.get(epoch);
    return row === undefined ? undefined : this.#at(row);
  }

  /** The epochs. */
  keys(): MapIterator<number> {
    return this.#rows.keys();
  }

  /** Copies of all counts. */
  *values(): Generator<VerdictCounts, undefined> {
    for (const row of this.#rows.values()) yield this.#at(row);
    return undefined;
  }

  /** The epochs with copies of their counts. */
  *entries(): Generator<[number, VerdictCounts], undefined> {
    for (const [epoch, row] of this.#rows) yield [epoch, this.#at(row)];
    return undefined;
  }

  /** The epochs with copies of their counts. */
  [Symbol.iterator](): Generator<[number, VerdictCounts], undefined> {
    return this.entries();
  }

  /** Calls a function with a copy of the counts of each epoch. */
  forEach(
    visit: (
      counts: VerdictCounts,
      epoch: number,
      map: ReadonlyMap<number, VerdictCounts>,
    ) => void,
  ): void {
    for (const [epoch, row] of this.#rows) visit(this.#at(row), epoch, this);
  }
}
