/**
 * Combines a follower's events into batches for the streams.
 *
 * @module
 */
import { EventColumns, type PageArena } from "../ftrace/ring/columns.ts";
import type { Frame } from "./fields/frame.ts";
import { appendRow } from "./rows.ts";

const BATCH_ROWS = 65536;

/** Rows of several CPUs, in the order in which they were handed out. */
export class Batch {
  readonly #columns: EventColumns;
  readonly #take: (frame: Frame) => void;
  #arena: PageArena | undefined;

  /** @param take processes a batch; its rows are reused afterwards */
  constructor(epoch: bigint, take: (frame: Frame) => void) {
    this.#columns = new EventColumns(epoch, BATCH_ROWS);
    this.#take = take;
  }

  /** Adds a row; its payload must not move until the batch ends. */
  add(from: EventColumns, row: number, arena: PageArena): void {
    const to = this.#columns;
    if (to.length === BATCH_ROWS || this.#arena !== arena) this.end();
    this.#arena = arena;
    appendRow(to, from, row);
  }

  /** Passes on the batch. */
  end(): void {
    const columns = this.#columns;
    if (columns.length === 0 || this.#arena === undefined) return;
    this.#take({ columns, arena: this.#arena, ordered: true });
    columns.clear();
  }
}
