/**
 * Lays out events in pages like those of the kernel's ring buffer
 * (kernel/trace/ring_buffer.c), for the data of CPUs in a trace.dat.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";

const TYPE_TIME_EXTEND = 30;
/** The longest entry whose length fits into the word before it. */
const MOST_SHORT = 28 * 4;
/** A time since the event before that does not fit into that word. */
const TS_UNIT = 134_217_728;
const MISSED_EVENTS = 0x80000000;
const MISSED_STORED = 0x40000000;

/** The kind of guest whose pages are written. */
export interface PageShape {
  readonly pageSize: number;
  readonly longSize: 4 | 8;
  readonly little: boolean;
}

/** Writes the pages of one CPU. */
export class DatPagesWriter {
  readonly #shape: PageShape;
  readonly #sink: (page: Uint8Array<ArrayBuffer>) => void;
  readonly #page: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #start: number;
  /** Where the next event goes; the start of the data if there is none. */
  #at: number;
  /** Times count from here. */
  #epoch = 0n;
  #last = 0;
  /** Events that are missing before the page; undefined if none are. */
  #missed: number | undefined;

  /** @param sink takes full pages; they are reused */
  constructor(
    shape: PageShape,
    sink: (page: Uint8Array<ArrayBuffer>) => void,
  ) {
    this.#shape = shape;
    this.#sink = sink;
    this.#page = new Uint8Array(shape.pageSize);
    this.#view = new DataView(this.#page.buffer);
    this.#start = 8 + shape.longSize;
    this.#at = this.#start;
  }

  /** Where in the page the data end. */
  get #end(): number {
    const { pageSize, longSize } = this.#shape;
    // How many events are missing is written behind the data.
    return this.#missed === undefined ? pageSize : pageSize - longSize;
  }

  /**
   * Adds an event.
   *
   * @param epoch from which `ts` counts, in ns
   * @param bytes contains the entry, at `from`, as it is to be in the file
   * @throws {XftraceError} when it does not fit into a page.
   */
  add(
    epoch: bigint,
    ts: number,
    bytes: Uint8Array<ArrayBuffer>,
    from: number,
    size: number,
  ): void {
    const length = (size + 3) & ~3;
    const head = length === 0 || length > MOST_SHORT ? 8 : 4;
    if (this.#start + head + length > this.#shape.pageSize - 8) {
      throw new XftraceError(
        `an event of ${size} bytes does not fit into a page of ${this.#shape.pageSize} bytes`,
      );
    }
    const since = epoch === this.#epoch ? ts : Number(epoch - this.#epoch) + ts;
    let delta = since - this.#last;
    const extend = delta >= TS_UNIT ? 8 : 0;
    if (
      this.#at === this.#start || delta < 0 ||
      this.#at + extend + head + length > this.#end
    ) {
      this.#flush();
      this.#epoch = epoch;
      this.#last = ts;
      this.#view.setBigUint64(
        0,
        BigInt.asUintN(64, epoch + BigInt(ts)),
        this.#shape.little,
      );
      delta = 0;
    } else {
      if (extend > 0) {
        this.#word(TYPE_TIME_EXTEND, delta % TS_UNIT);
        this.#view.setUint32(
          this.#at,
          Math.floor(delta / TS_UNIT) >>> 0,
          this.#shape.little,
        );
        this.#at += 4;
        delta = 0;
      }
      this.#last = since;
    }
    if (head === 4) this.#word(length / 4, delta);
    else {
      this.#word(0, delta);
      this.#view.setUint32(this.#at, length + 4, this.#shape.little);
      this.#at += 4;
    }
    this.#page.set(bytes.subarray(from, from + size), this.#at);
    this.#page.fill(0, this.#at + size, this.#at + length);
    this.#at += length;
  }

  /**
   * Events are missing before the next one.
   *
   * @param count how many; -1 if that is not known
   */
  lost(count: number): void {
    this.#flush();
    this.#missed = this.#missed === undefined
      ? count
      : this.#missed < 0 || count < 0
      ? -1
      : this.#missed + count;
  }

  /** Writes the last page. */
  end(): void {
    this.#flush();
  }

  #word(type: number, delta: number): void {
    const word = this.#shape.little
      ? (type | delta << 5) >>> 0
      : (type << 27 | delta) >>> 0;
    this.#view.setUint32(this.#at, word, this.#shape.little);
    this.#at += 4;
  }

  #flush(): void {
    if (this.#at === this.#start) return;
    const { longSize, little } = this.#shape;
    let commit = this.#at - this.#start;
    const missed = this.#missed;
    if (missed !== undefined) {
      commit += MISSED_EVENTS;
      if (missed >= 0) {
        commit += MISSED_STORED;
        if (longSize === 8) {
          this.#view.setBigUint64(this.#at, BigInt(missed), little);
        } else this.#view.setUint32(this.#at, missed, little);
        this.#at += longSize;
      }
      this.#missed = undefined;
    }
    if (longSize === 8) this.#view.setBigUint64(8, BigInt(commit), little);
    else this.#view.setUint32(8, commit, little);
    this.#page.fill(0, this.#at);
    this.#sink(this.#page);
    this.#at = this.#start;
  }
}
