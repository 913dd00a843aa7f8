/**
 * Renders durations and times in the same way as the kernel.
 *
 * @module
 */
import { decimal } from "../../base/decimal.ts";
import { packed, type TextBuffer } from "./bytes/text_buffer.ts";

/**
 * Trailing spaces, by the length of the number, in a column of 8 characters.
 */
const PAD: readonly string[] = Array.from(
  { length: 9 },
  (_, length) => " us " + " ".repeat(8 - length),
);

/**
 * `trace_print_graph_duration`: microseconds with up to three decimals, at
 * most 7 digits, padded to the column.
 *
 * @param ns the duration; a negative one (from a torn pair) is printed as the
 * kernel's unsigned 64-bit difference
 */
export function graphDuration(ns: number): string {
  if (ns < 0) return unsigned(ns);
  const us = Math.floor(ns / 1000);
  const whole = decimal(us);
  const length = whole.length;
  if (length >= 7) return whole + (PAD[length] ?? " us ");
  const rest = ns - us * 1000;
  let decimals = rest < 10 ? `00${rest}` : rest < 100 ? `0${rest}` : `${rest}`;
  // With longer numbers the kernel keeps fewer decimals, so that point and
  // decimals fit into the column.
  if (length > 4) decimals = decimals.substring(0, 7 - length);
  return whole + "." + decimals + PAD[length + 1 + decimals.length];
}

/** Writes what {@linkcode graphDuration} returns. */
export function writeGraphDuration(out: TextBuffer, ns: number): void {
  if (!(ns >= 0 && Number.isSafeInteger(ns))) {
    out.text(graphDuration(ns));
    return;
  }
  const us = Math.floor(ns / 1000);
  const before = out.length;
  out.decimal(us);
  const length = out.length - before;
  if (length < 7) {
    out.char(POINT);
    out.three(ns - us * 1000);
    if (length > 4) out.length -= length - 4;
  }
  const printed = out.length - before;
  out.four(MICROSECONDS);
  out.spaces(8 - printed);
}

const POINT = 0x2e;
const MILLION = 1_000_000;
const MICROSECONDS = packed(" us ");
const SPACE = 0x20;

function unsigned(ns: number): string {
  const us = BigInt.asUintN(64, BigInt(ns)) / 1000n;
  return us.toString() + " us ";
}

/** `trace_find_mark`: a mark that shows the magnitude of a duration. */
export function overheadMark(ns: number): string {
  // The kernel's duration is unsigned, so a negative difference is huge.
  if (ns < 0 || ns > 1000000000) return "$";
  if (ns > 100000000) return "@";
  if (ns > 10000000) return "*";
  if (ns > 1000000) return "#";
  if (ns > 100000) return "!";
  if (ns > 10000) return "+";
  return " ";
}

/**
 * Renders times since an epoch as the kernel does, without a bigint for each
 * event.
 */
export class ClockText {
  readonly #seconds: number;
  readonly #nanoseconds: number;
  readonly #epoch: bigint;

  /** @param epoch the columns' epoch, in ns */
  constructor(epoch: bigint) {
    this.#epoch = epoch;
    this.#seconds = Number(epoch / 1000000000n);
    this.#nanoseconds = Number(epoch % 1000000000n);
  }

  /** `trace_print_time`: ` %5lu.%06lu`, rounded to microseconds. */
  context(ts: number): string {
    // ns2usecs() adds 500 first.
    return " " + this.#text(ts + 500);
  }

  /** `print_graph_abs_time`: `%5lu.%06lu |  `, truncated to microseconds. */
  graph(ts: number): string {
    return this.#text(ts) + " |  ";
  }

  /** The time as a plain count (` %12llu`), for clocks that do not count ns. */
  counter(ts: number): string {
    return " " + (this.#epoch + BigInt(ts)).toString().padStart(12);
  }

  /** Writes what {@linkcode context} returns. */
  writeContext(out: TextBuffer, ts: number): void {
    out.char(SPACE);
    this.#write(out, ts + 500);
  }

  /** Writes what {@linkcode graph} returns. */
  writeGraph(out: TextBuffer, ts: number): void {
    this.#write(out, ts);
    out.text(" |  ");
  }

  #write(out: TextBuffer, ts: number): void {
    const ns = this.#nanoseconds + ts;
    const carry = Math.floor(ns / 1000000000);
    const us = Math.floor((ns - carry * 1000000000) / 1000);
    const seconds = this.#seconds + carry;
    if (!(seconds >= 0 && us >= 0 && us < MILLION)) {
      // Earlier than all clocks, or so late that ns are not exact: only damaged
      // time stamps are.
      out.text(this.#text(ts));
      return;
    }
    if (seconds < 10000) {
      out.spaces(seconds < 10 ? 4 : seconds < 100 ? 3 : seconds < 1000 ? 2 : 1);
    }
    out.decimal(seconds);
    out.char(POINT);
    out.six(us);
  }

  #text(ts: number): string {
    const ns = this.#nanoseconds + ts;
    const carry = Math.floor(ns / 1000000000);
    const us = Math.floor((ns - carry * 1000000000) / 1000);
    const seconds = decimal(this.#seconds + carry);
    const fraction = decimal(us);
    return (seconds.length < 5 ? seconds.padStart(5) : seconds) + "." +
      (fraction.length < 6 ? fraction.padStart(6, "0") : fraction);
  }
}
