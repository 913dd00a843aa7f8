/**
 * Decoded events of one CPU waiting to be handed out, and the hand-out of
 * several CPUs' events in time order.
 *
 * @module
 */
import { EventColumns, KIND, type PageArena } from "./columns.ts";

/** Rows that there is room for at first. */
const FIRST_ROWS = 4096;

/**
 * Takes one event: the row `row` of `columns`, whose payload lies in `arena`.
 * Rows and payloads are reused afterwards. The row after it, when there is
 * one, is the next event of the same CPU.
 */
export type EventVisitor = (
  columns: EventColumns,
  row: number,
  arena: PageArena,
) => void;

/** A queue of decoded events of one CPU, in the order of its ring. */
export class EventQueue {
  /** Decoded rows; those before {@linkcode head} were taken already. */
  readonly columns: EventColumns;
  /** The pages that the rows' payloads lie in. */
  readonly arena: PageArena;
  /** First row not yet taken. */
  head = 0;
  /** All events up to this time (ns since epoch) are in the queue. */
  complete = -Infinity;
  /** Time of the last row taken, ns since epoch. */
  lastHanded = -Infinity;
  /** The latest time of any row taken, ns since epoch. */
  latestHanded = -Infinity;
  readonly #slots: { slot: number; end: number }[] = [];

  constructor(arena: PageArena, epoch: bigint) {
    this.arena = arena;
    this.columns = new EventColumns(epoch, FIRST_ROWS);
  }

  /** Rows not yet taken. */
  get length(): number {
    return this.columns.length - this.head;
  }

  /** The arena slot that the newest rows point into, -1 without. */
  get lastSlot(): number {
    return this.#slots.at(-1)?.slot ?? -1;
  }

  /** Says that the rows up to now point into `slot` (or earlier slots). */
  hold(slot: number): void {
    const last = this.#slots.at(-1);
    if (last !== undefined && last.slot === slot) {
      last.end = this.columns.length;
    } else this.#slots.push({ slot, end: this.columns.length });
  }

  /** Gives back the rows before `row` and the pages that held them. */
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

/** What handing out noticed. */
export interface HandOut {
  /** Events handed out. */
  count: number;
  /** Events handed out after a later one of another CPU. */
  late: number;
  /**
   * Times that a CPU's own clock stepped back between two events. The guest's
   * clock does that (the `global` trace clock of a guest whose TSC is not
   * stable), and the guest's own trace files show it too.
   */
  clockSteps: number;
  /** The latest time handed out so far, ns since epoch. */
  latest: number;
}

/** A fresh {@linkcode HandOut}. */
export function handOut(): HandOut {
  return { count: 0, late: 0, clockSteps: 0, latest: -Infinity };
}

/** How far {@linkcode drainQueues} goes. */
export interface DrainOptions {
  /** Hand out everything that is queued: at the end. */
  readonly all?: boolean;
  /**
   * Wait for the event after a function's entry, which tells a leaf from a
   * call that has callees, unless this many rows (default: none) are queued.
   */
  readonly holdEntries?: number;
}

/**
 * Hands out queued events in time order (ties: first queue first; the kernel
 * takes the lowest CPU), as far as no earlier one can still come.
 *
 * @param visit called for each event; must not keep the row
 * @param sums updated
 * @returns how many were handed out.
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
