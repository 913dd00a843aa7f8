/**
 * Determines when a stream begins and ends.
 *
 * @module
 */
import type { EventObject } from "./fields/event_object.ts";
import type { Frame } from "./fields/frame.ts";
import type { Stream } from "../query/program.ts";
import type { Moment } from "../query/spec.ts";

/** Evaluates the `from` and `until` of a stream. */
export class Limits {
  /** Whether the stream has ended. */
  done = false;
  readonly #stream: Stream;
  #begun: boolean;
  #passed = 0;
  /** Times (in ns since the epoch) of the awaited events, once seen. */
  #beginAt = Infinity;
  #endAt = Infinity;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#begun = stream.from.length === 0;
  }

  /** Searches the raw rows of a batch for the awaited events. */
  scan(frame: Frame, origin: number): void {
    const { from, until, markers } = this.#stream;
    for (const moment of from) {
      if (moment.kind === "time") {
        this.#beginAt = Math.min(this.#beginAt, origin + moment.ns);
      } else if (moment.kind === "event") {
        const at = first(frame, markers.get(moment), -Infinity);
        this.#beginAt = Math.min(this.#beginAt, at);
      }
    }
    const after = from.length === 0 ? -Infinity : this.#beginAt;
    for (const moment of until) {
      if (moment.kind === "time") {
        this.#endAt = Math.min(this.#endAt, origin + moment.ns);
      } else if (moment.kind === "event") {
        const at = first(frame, markers.get(moment), after);
        this.#endAt = Math.min(this.#endAt, at);
      } else if (moment.kind === "signal" && moment.signal.aborted) {
        this.done = true;
      }
    }
  }

  /**
   * Keeps the rows between start and end, in place.
   *
   * @param rows rows in time order
   */
  cut(
    frame: Frame,
    rows: Uint32Array,
    n: number,
    event: EventObject,
  ): number {
    const { from, until } = this.#stream;
    const { ts } = frame.columns;
    if (this.done) return 0;
    const tests = until.filter((moment) => moment.kind === "closure");
    const counts = until.flatMap((moment) =>
      moment.kind === "count" ? [moment.events] : []
    );
    const limit = Math.min(Infinity, ...counts);
    if (this.#begun && tests.length === 0 && limit === Infinity) {
      return this.#before(frame, rows, n);
    }
    let left = 0;
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      if (!this.#begun) {
        if (!this.#begins(from, frame, row, event)) continue;
        this.#begun = true;
      }
      if (ts[row] > this.#endAt) {
        this.done = true;
        break;
      }
      rows[left++] = row;
      this.#passed++;
      if (this.#passed >= limit) this.done = true;
      for (const moment of tests) {
        if (moment.test(event.move(frame, row))) this.done = true;
      }
      if (this.done) break;
    }
    this.#ended(frame);
    return left;
  }

  #begins(
    from: readonly Moment[],
    frame: Frame,
    row: number,
    event: EventObject,
  ): boolean {
    if (frame.columns.ts[row] >= this.#beginAt) return true;
    return from.some((moment) =>
      moment.kind === "closure" && moment.test(event.move(frame, row))
    );
  }

  /** The rows up to the end time, if nothing else can end the stream. */
  #before(frame: Frame, rows: Uint32Array, n: number): number {
    if (this.#endAt === Infinity) return n;
    const { ts } = frame.columns;
    let left = 0;
    while (left < n && ts[rows[left]] <= this.#endAt) left++;
    if (left < n) this.done = true;
    this.#ended(frame);
    return left;
  }

  /** The end time may have passed without a later event of this stream. */
  #ended(frame: Frame): void {
    const { columns } = frame;
    if (columns.length > 0 && this.#endAt !== Infinity && frame.ordered) {
      if (columns.ts[columns.length - 1] > this.#endAt) this.done = true;
    }
  }
}

/** Time of the first row of one of these types, not before `after`. */
function first(
  frame: Frame,
  ids: readonly number[] | undefined,
  after: number,
): number {
  if (ids === undefined) return Infinity;
  const { type, ts, length } = frame.columns;
  let best = Infinity;
  for (const id of ids) {
    for (let row = 0; row < length; row++) {
      if (type[row] === id && ts[row] < best && ts[row] >= after) {
        best = ts[row];
      }
    }
  }
  return best;
}
