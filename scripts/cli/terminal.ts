/**
 * Output of commands: results go to standard output, all else to standard
 * error; colours and progress appear on a terminal only.
 *
 * @module
 */
import { relative } from "node:path";
import { styleText } from "node:util";
import { textBytes } from "xftrace/output";

const encoder = new TextEncoder();

/**
 * Writes text or bytes to standard output; raw bytes within text are passed on
 * unchanged.
 */
export function out(chunk: string | Uint8Array): void {
  const bytes = typeof chunk === "string" ? textBytes(chunk) : chunk;
  let at = 0;
  while (at < bytes.length) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** Writes a value as JSON; bigints as hex strings. */
export function outJson(value: unknown): void {
  const hex = (_: string, item: unknown) =>
    typeof item === "bigint" ? `0x${item.toString(16)}` : item;
  out(JSON.stringify(value, hex, 2) + "\n");
}

/** Prints a line that is not part of the result. */
export function note(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text + "\n"));
}

/** Prints a warning. */
export function warn(text: string): void {
  note(`xftrace: ${text}`);
}

/** Whether standard output shows colours. */
export function coloured(): boolean {
  return Deno.stdout.isTerminal() && !Deno.noColor;
}

/** Bold text, on a terminal. */
export function strong(text: string): string {
  return coloured() ? styleText("bold", text) : text;
}

/** Dimmed text, on a terminal. */
export function faint(text: string): string {
  return coloured() ? styleText("dim", text) : text;
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
  readonly #shown = Deno.stderr.isTerminal();
  readonly #start = performance.now();
  #last = 0;
  #used = false;

  /** Updates the line, at most ten times a second, after the first second. */
  update(text: string): void {
    const now = performance.now();
    if (!this.#shown || now - this.#start < 1000 || now - this.#last < 100) {
      return;
    }
    this.#last = now;
    this.#used = true;
    Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${text}`));
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#used) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
  }
}
