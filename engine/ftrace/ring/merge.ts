/**
 * Merges the events of all CPUs in time order like the kernel's readers
 * (kernel/trace/trace.c, __find_next_entry): the smallest time stamp comes
 * next; in a tie, the lowest CPU.
 *
 * @module
 */

import type { EventColumns } from "./columns.ts";

/**
 * A cursor over columns in time order. Rows of one CPU keep the order in which
 * they were appended, which must be ring order.
 *
 * Rows appended later are not included; create a new cursor for them.
 */
export class TimeMerge {
  readonly #columns: EventColumns;
  /** Rows grouped by CPU. */
  readonly #rows: Uint32Array<ArrayBuffer>;
  /**
   * Per CPU: position of its next row in `#rows`, and one past its last row.
   */
  readonly #head: Uint32Array<ArrayBuffer>;
  readonly #end: Uint32Array<ArrayBuffer>;
  /** Per CPU: time of its next row; Infinity when there is none. */
  readonly #time: Float64Array<ArrayBuffer>;
  /** CPU whose next row is the earliest, -1 when unknown. */
  #best = -1;
  /** The earliest time among the other CPUs, and the lowest CPU that has it. */
  #nextBestTime = Infinity;
  #nextBest = -1;

  /**
   * @param from first row to include (default: all rows)
   * @param to one past the last row
   */
  constructor(columns: EventColumns, from = 0, to = columns.length) {
    this.#columns = columns;
    const cpu = columns.cpu;
    let cpus = 0;
    for (let row = from; row < to; row++) {
      if (cpu[row] >= cpus) cpus = cpu[row] + 1;
    }
    const counts = new Uint32Array(cpus + 1);
    for (let row = from; row < to; row++) counts[cpu[row] + 1]++;
    for (let i = 1; i <= cpus; i++) counts[i] += counts[i - 1];
    this.#head = counts.slice(0, cpus);
    this.#end = counts.slice(1);
    this.#rows = new Uint32Array(to - from);
    const fill = this.#head.slice();
    for (let row = from; row < to; row++) this.#rows[fill[cpu[row]]++] = row;
    this.#time = new Float64Array(cpus);
    for (let i = 0; i < cpus; i++) this.#time[i] = this.#headTime(i);
  }

  /** Takes the next row in time order, or -1 when none is left. */
  next(): number {
    const cpu = this.#earliest();
    if (cpu < 0) return -1;
    const row = this.#rows[this.#head[cpu]];
    this.#advance(cpu);
    return row;
  }

  /**
   * Takes the rows that directly follow a row in the columns, as long as they
   * are next in time order.
   *
   * @param row the row that was taken last
   * @param end stops before this row
   * @param stops stops before a row for which this is set
   * @returns one past the last row taken.
   */
  takeRun(
    row: number,
    end: number,
    stops: { readonly size: number; has(row: number): boolean },
  ): number {
    const cpu = this.#columns.cpu[row];
    const rows = this.#rows;
    const head = this.#head;
    let to = row + 1;
    while (
      to < end && this.#earliest() === cpu && rows[head[cpu]] === to &&
      (stops.size === 0 || !stops.has(to))
    ) {
      this.#advance(cpu);
      to++;
    }
    return to;
  }

  /** Returns the next row in time order without taking it, or -1. */
  peek(): number {
    const cpu = this.#earliest();
    return cpu < 0 ? -1 : this.#rows[this.#head[cpu]];
  }

  /** Returns the next row of one CPU without taking it, or -1. */
  peekCpu(cpu: number): number {
    return cpu < this.#head.length && this.#head[cpu] < this.#end[cpu]
      ? this.#rows[this.#head[cpu]]
      : -1;
  }

  /** Takes the next row of one CPU, if it has one, regardless of time order. */
  skipCpu(cpu: number): void {
    if (cpu < this.#head.length && this.#head[cpu] < this.#end[cpu]) {
      this.#advance(cpu);
      // A CPU's clock may step back, so its next row may now be the earliest.
      if (cpu !== this.#best) this.#best = -1;
    }
  }

  /** Takes all remaining rows; returns them in time order. */
  order(): Uint32Array<ArrayBuffer> {
    let left = 0;
    for (let i = 0; i < this.#head.length; i++) {
      left += this.#end[i] - this.#head[i];
    }
    const order = new Uint32Array(left);
    for (let i = 0; i < left; i++) order[i] = this.next();
    return order;
  }

  #headTime(cpu: number): number {
    const at = this.#head[cpu];
    return at < this.#end[cpu] ? this.#columns.ts[this.#rows[at]] : Infinity;
  }

  #advance(cpu: number): void {
    this.#head[cpu]++;
    this.#time[cpu] = this.#headTime(cpu);
  }

  /** The CPU of the earliest row; -1 when no rows are left. */
  #earliest(): number {
    const time = this.#time;
    const best = this.#best;
    // Events come in runs of one CPU, so it usually still has the earliest. The
    // times of the others can only have grown since they were compared.
    if (
      best >= 0 &&
      (time[best] < this.#nextBestTime ||
        (time[best] === this.#nextBestTime && best < this.#nextBest)) &&
      time[best] !== Infinity
    ) {
      return best;
    }
    let first = -1;
    let firstTime = Infinity;
    let second = -1;
    let secondTime = Infinity;
    for (let cpu = 0; cpu < time.length; cpu++) {
      const at = time[cpu];
      if (at < firstTime) {
        second = first;
        secondTime = firstTime;
        first = cpu;
        firstTime = at;
      } else if (at < secondTime) {
        second = cpu;
        secondTime = at;
      }
    }
    this.#best = first;
    this.#nextBest = second;
    this.#nextBestTime = secondTime;
    return first;
  }
}
