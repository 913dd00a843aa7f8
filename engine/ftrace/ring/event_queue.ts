/**
 * A queue for the decoded events of one CPU, and the delivery of several CPUs'
 * events in time order.
 *
 * @module
 */
import { EventColumns, KIND, type PageArena } from "./columns.ts";

/** Initial capacity in rows. */
const FIRST_ROWS = 4096;

/**
 * Receives one event: row `row` of `columns`, with its payload in `arena`. Rows
 * and payloads are reused afterwards. The following row, if there is one, is
 * the next event of the same CPU.
 */
export type EventVisitor = (
  columns: EventColumns,
  row: number,
  arena: PageArena,
) => void;

/** A queue of one CPU's decoded events, in ring order. */
export class EventQueue {
  /** Decoded rows; those before {@linkcode head} have already been taken. */
  readonly columns: EventColumns;
  /** The pages that hold the rows' payloads. */
  readonly arena: PageArena;
  /** The first row not yet taken. */
  head = 0;
  /** All events up to this time (ns since the epoch) are in the queue. */
  complete = -Infinity;
  /** Time of the last row taken, in ns since the epoch. */
  lastHanded = -Infinity;
  /** The latest time of any row taken, in ns since the epoch. */
  latestHanded = -Infinity;
  readonly #slots: { slot: number; end: number }[] = [];

  /** @param rows room for so many rows at first */
  constructor(arena: PageArena, epoch: bigint, rows = FIRST_ROWS) {
    this.arena = arena;
    this.columns = new EventColumns(epoch, rows);
  }

  /** The number of rows not yet taken. */
  get length(): number {
    return this.columns.length - this.head;
  }

  /** The arena slot that the newest rows point into; -1 when there is none. */
  get lastSlot(): number {
    return this.#slots.at(-1)?.slot ?? -1;
  }

  /** Records that the rows up to now point into `slot` (or earlier slots). */
  hold(slot: number): void {
    const last = this.#slots.at(-1);
    if (last !== undefined && last.slot === slot) {
      last.end = this.columns.length;
    } else this.#slots.push({ slot, end: this.columns.length });
  }

  /** Releases the rows before `row` and the pages that held them. */
  release(row: number): void {
    this.head = row;
    while (this.#slots.length > 0 && this.#slots[0].end <= row) {
      this.arena.release(this.#slots[0].slot);
      this.#slots.shift();
    }
    if (row === this.columns.length) {
      this.columns.clear();
      this.head = 0;
    }
  }
}

/** Counts kept while handing out events. */
export interface HandOut {
  /** Events handed out. */
  count: number;
  /** Events handed out after a later event of another CPU. */
  late: number;
  /**
   * How often a CPU's own clock stepped back between two events. The guest's
   * clock does this (the `global` trace clock of a guest whose TSC is not
   * stable), and it shows in the guest's own trace files too.
   */
  clockSteps: number;
  /** The latest time handed out so far, in ns since the epoch. */
  latest: number;
}

/** Creates a {@linkcode HandOut} with zero counts. */
export function handOut(): HandOut {
  return { count: 0, late: 0, clockSteps: 0, latest: -Infinity };
}

/** Options of {@linkcode drainQueues}. */
export interface DrainOptions {
  /** Hand out everything in the queues; used at the end. */
  readonly all?: boolean;
  /**
   * Hold back a function's entry until the next event shows whether the call is
   * a leaf, unless this many rows (default: none) are queued.
   */
  readonly holdEntries?: number;
}

/**
 * Hands out queued events in time order (ties: the first queue first; the
 * kernel takes the lowest CPU), as long as no earlier event can still arrive.
 *
 * @param visit called for each event; must not keep a reference to the row
 * @param sums updated
 * @returns how many events were handed out.
 */
export function drainQueues(
  queues: readonly EventQueue[],
  visit: EventVisitor,
  sums: HandOut,
  options: DrainOptions = {},
): number {
  let limit = Infinity;
  let queued = 0;
  for (const queue of queues) {
    if (options.all !== true && queue.complete < limit) limit = queue.complete;
    queued += queue.length;
  }
  const hold = options.all !== true && options.holdEntries !== undefined &&
    queued < options.holdEntries;
  const heads = queues.map((queue) => queue.head);
  let count = 0;
  for (;;) {
    let best = -1;
    let bestTs = Infinity;
    for (let i = 0; i < queues.length; i++) {
      const { columns } = queues[i];
      if (heads[i] >= columns.length) continue;
      const ts = columns.ts[heads[i]];
      if (ts < bestTs) {
        bestTs = ts;
        best = i;
      }
    }
    if (best < 0 || bestTs > limit) break;
    const queue = queues[best];
    const { columns } = queue;
    const row = heads[best];
    if (hold && row + 1 === columns.length) {
      const kind = columns.kind[row];
      if (kind === KIND.entry || kind === KIND.entryRetaddr) break;
    }
    if (bestTs < queue.lastHanded) sums.clockSteps++;
    if (bestTs >= sums.latest) sums.latest = bestTs;
    else if (bestTs >= queue.latestHanded) sums.late++;
    queue.lastHanded = bestTs;
    if (bestTs > queue.latestHanded) queue.latestHanded = bestTs;
    visit(columns, row, queue.arena);
    heads[best]++;
    count++;
  }
  queues.forEach((queue, i) => queue.release(heads[i]));
  sums.count += count;
  return count;
}
