/**
 * Rows of events in the format `html`, in blocks that are written as they fill.
 *
 * @module
 */
import {
  BLOCK_ROWS,
  type Column,
  COLUMNS,
  PackedBytes,
} from "../page/packed.ts";
import type { PageFile } from "../page/page_file.ts";

/** Rows that a page gets; more would make it slow. */
export const MOST_ROWS = 1_000_000;
/** Bytes of their texts. */
const MOST_TEXT = 64 << 20;
/** Characters of one text. */
const LONGEST_TEXT = 2000;

/** More levels than calls have; a damaged trace may claim any number. */
const DEEPEST = 511;

/** One row; the object is reused. */
export type PageRow = Record<Exclude<Column, "text">, number>;

/** Packs rows, and writes them in blocks. */
export class PageRows {
  /** Number of rows that were kept. */
  kept = 0;
  readonly #file: PageFile;
  /** In the order of {@linkcode COLUMNS}. */
  readonly #columns = COLUMNS.map(() => new PackedBytes());
  readonly #texts = new PackedBytes();
  readonly #encoder = new TextEncoder();
  readonly #most: number;
  #block = 0;
  #textBytes = 0;
  #last = 0;

  /** @param most rows that are kept */
  constructor(file: PageFile, most: number = MOST_ROWS) {
    this.#file = file;
    this.#most = most;
  }

  /** Whether no more rows are kept. */
  get full(): boolean {
    return this.kept >= this.#most || this.#textBytes >= MOST_TEXT;
  }

  /**
   * Adds a row.
   *
   * @param row its `ts` counts from the start of the trace
   * @param json the event's fields as JSON, or empty
   */
  add(row: PageRow, json: string): void {
    // Time does not go back, unless a trace is damaged.
    const ts = Math.max(0, Math.round(row.ts) - this.#last);
    this.#last += ts;
    const [first, cpu, thread, kind, name, depth, duration, text] =
      this.#columns;
    first.number(this.#block === 0 ? this.#last : ts);
    cpu.number(row.cpu);
    thread.number(row.thread);
    kind.number(row.kind);
    name.number(row.name);
    depth.number(Math.min(DEEPEST, Math.max(0, row.depth)));
    duration.number(Math.max(0, Math.round(row.duration)));
    let length = 0;
    if (json !== "") {
      const bytes = this.#encoder.encode(fitting(json));
      length = bytes.length;
      this.#textBytes += length;
      this.#texts.add(bytes);
    }
    text.number(length);
    this.kept++;
    if (++this.#block === BLOCK_ROWS) this.flush();
  }

  /** Writes the rows that are left. */
  flush(): void {
    if (this.#block === 0) return;
    const block = new PackedBytes();
    block.number(this.#block);
    for (const { length } of this.#columns) block.number(length);
    for (const column of this.#columns) {
      block.add(column.bytes());
      column.clear();
    }
    this.#file.part("rows", block.bytes());
    this.#file.part("texts", this.#texts.bytes());
    this.#texts.clear();
    this.#block = 0;
  }
}

/** A long text is cut, and is then a string instead of an object. */
function fitting(json: string): string {
  return json.length <= LONGEST_TEXT
    ? json
    : JSON.stringify(`${json.slice(0, LONGEST_TEXT)}...`);
}
