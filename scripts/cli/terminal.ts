/**
 * Output of commands: results go to standard output, all else to standard
 * error; colours and progress appear on a terminal only. No other file of the
 * commands writes to either: here the control characters of guests and files
 * are escaped, so that only what this file adds can control a terminal.
 *
 * @module
 */
import { relative } from "node:path";
import { styleText } from "node:util";
import { shown, shownJson, shownLines, type XftraceError } from "xftrace";
import {
  type OutputSink,
  textBytes,
  type TraceFormat,
  type WriterOptions,
} from "xftrace/output";
import { usage } from "./option_values.ts";

const encoder = new TextEncoder();

/**
 * Stands for ESC in text of ours until it is written. Nobody else can know it.
 */
const OUR_ESCAPE = `<${crypto.randomUUID()}>`;

/** How a line begins that is about this program. */
const WHO = "xftrace: ";

function write(
  to: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array,
): void {
  let at = 0;
  while (at < bytes.length) at += to.writeSync(bytes.subarray(at));
}

function withEscapes(text: string): string {
  return text.replaceAll(OUR_ESCAPE, "\x1b");
}

/**
 * Writes lines of ours to standard output, in which the line ends of others are
 * escaped already; other control characters are escaped here.
 */
export function out(lines: string): void {
  write(Deno.stdout, encoder.encode(withEscapes(shownLines(lines))));
}

/** Writes one line of ours to standard output, whoever its parts come from. */
export function outLine(line: string): void {
  out(shown(line) + "\n");
}

/** Writes a value as JSON; bigints as hex strings. */
export function outJson(value: unknown): void {
  const hex = (_: string, item: unknown) =>
    typeof item === "bigint" ? `0x${item.toString(16)}` : item;
  out(shownJson(JSON.stringify(value, hex, 2)) + "\n");
}

/**
 * Writes a trace to standard output: on a terminal escaped, unless `raw`; else
 * each byte as the guest's own trace file has it.
 *
 * @throws {XftraceError} when the format is for files only, and standard output
 * is a terminal.
 */
export function traceOutput(
  raw: boolean,
  format: Pick<TraceFormat, "name" | "binary"> = { name: "text" },
): { readonly sink: OutputSink; readonly options: WriterOptions } {
  if (format.binary === true && Deno.stdout.isTerminal()) {
    throw usage(
      `the format ${format.name} is not text; redirect standard output to a file`,
    );
  }
  const escaped = !raw && Deno.stdout.isTerminal();
  return {
    options: { escaped, bytes: !escaped },
    sink: (chunk) => {
      if (typeof chunk !== "string") write(Deno.stdout, chunk);
      else if (escaped) out(chunk);
      else write(Deno.stdout, textBytes(chunk));
    },
  };
}

/** Prints a line that is not part of the result. */
export function note(text: string): void {
  write(Deno.stderr, encoder.encode(shown(text) + "\n"));
}

/** Prints the message of an error, which may have several lines. */
export function noteError({ message }: XftraceError): void {
  noteLines(`${WHO}${message}\n`);
}

/** Prints lines of ours that are not part of the result. */
export function noteLines(text: string): void {
  write(Deno.stderr, encoder.encode(shownLines(text)));
}

/** Prints a warning. */
export function warn(text: string): void {
  note(WHO + text);
}

/** Whether standard output shows colours. */
export function coloured(): boolean {
  return Deno.stdout.isTerminal() && !Deno.noColor;
}

/** Bold text, on a terminal. */
export function strong(text: string): string {
  return styled("bold", text);
}

/** Dimmed text, on a terminal. */
export function faint(text: string): string {
  return styled("dim", text);
}

/** Text in a style of ours, on a terminal. */
export function styled(
  style: "bold" | "dim" | "inverse" | "green" | "yellow" | "red",
  text: string,
): string {
  if (!coloured()) return text;
  // Not styleText(style, text): an escape within the text is not ours.
  const [before, after] = styleText(style, "\0", {
    validateStream: false,
  }).split("\0");
  return before.replaceAll("\x1b", OUR_ESCAPE) + text +
    after.replaceAll("\x1b", OUR_ESCAPE);
}

/**
 * A control sequence of ours, for {@linkcode out}: `control("2J")` clears the
 * screen.
 */
export function control(code: string): string {
  return `${OUR_ESCAPE}[${code}`;
}

/** Erases the last lines on the terminal. */
export function eraseLines(lines: number): void {
  if (lines > 0) out(`${control(`${lines}A`)}${control("J")}`);
}

/** A number with separators: `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A size in bytes as readable text: `16.0 MiB`. */
export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}

/** A path relative to the current folder, if it is below it: `trace.xfs`. */
export function shownPath(path: string): string {
  const near = relative(Deno.cwd(), path);
  return near.startsWith("..") ? path : near;
}

/** A line that is updated in place on a terminal; nothing elsewhere. */
export class Progress implements Disposable {
  readonly #shown: boolean;
  readonly #start = performance.now();
  #last = 0;
  #used = false;

  /** @param quiet to show nothing on a terminal either */
  constructor({ quiet = false }: { readonly quiet?: boolean } = {}) {
    this.#shown = !quiet && Deno.stderr.isTerminal();
  }

  /**
   * Updates the line, at most ten times a second, after the first second.
   *
   * @param text or what makes it, which is asked only if it is shown
   */
  update(text: string | (() => string)): void {
    const now = performance.now();
    if (!this.#shown || now - this.#start < 1000 || now - this.#last < 100) {
      return;
    }
    this.#last = now;
    this.#used = true;
    const line = shown(typeof text === "string" ? text : text());
    write(Deno.stderr, encoder.encode(`\r\x1b[K${line}`));
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#used) write(Deno.stderr, encoder.encode("\r\x1b[K"));
    this.#used = false;
  }
}

/** Shows how many of something there are so far, while they are counted. */
export class Counted implements Disposable {
  readonly #what: string;
  readonly #progress = new Progress();
  #count = 0;

  /** @param what the things, in the plural */
  constructor(what: string) {
    this.#what = what;
  }

  /** There is one more. */
  add(): void {
    // The clock takes longer than most things that are counted.
    if ((++this.#count & 1023) !== 0) return;
    this.#progress.update(() => `${count(this.#count)} ${this.#what}`);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
  }
}
