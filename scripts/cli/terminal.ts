/**
 * What commands write, and to where: results to standard output, all else to
 * standard error; colours and progress on a terminal only.
 *
 * @module
 */
import { relative } from "node:path";
import { styleText } from "node:util";
import { textBytes } from "xftrace/output";

const encoder = new TextEncoder();

/** Writes text (bytes in it come out as such) or bytes to standard output. */
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

/** Says something that is no result. */
export function note(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text + "\n"));
}

/** Says that something went wrong without harm. */
export function warn(text: string): void {
  note(`xftrace: ${text}`);
}

/** Whether standard output takes colours. */
export function coloured(): boolean {
  return Deno.stdout.isTerminal() && !Deno.noColor;
}

/** A heading or a name that stands out, on a terminal. */
export function strong(text: string): string {
  return coloured() ? styleText("bold", text) : text;
}

/** Text that steps back, on a terminal. */
export function faint(text: string): string {
  return coloured() ? styleText("dim", text) : text;
}

/** A count with thin groups: `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A size in bytes for people: `16.0 MiB`. */
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

/** A file's path as people would write it here: `trace.xfs`. */
export function shownPath(path: string): string {
  const near = relative(Deno.cwd(), path);
  return near.startsWith("..") ? path : near;
}

/** One line that is renewed in place on a terminal; nothing elsewhere. */
export class Progress implements Disposable {
  readonly #shown = Deno.stderr.isTerminal();
  readonly #start = performance.now();
  #last = 0;
  #used = false;

  /** Renews the line, at most ten times a second, after the first second. */
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
