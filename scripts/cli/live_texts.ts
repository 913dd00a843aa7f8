/**
 * Results so far, updated in place on a terminal while a trace runs.
 *
 * @module
 */
import { eraseLines, out } from "./terminal.ts";

const EVERY_MS = 1000;

/** Shows texts and erases them again; does nothing without a terminal. */
export class LiveTexts {
  readonly #shown: boolean;
  #last = performance.now();
  #lines = 0;

  constructor(wanted: boolean) {
    this.#shown = wanted && Deno.stdout.isTerminal();
  }

  /** Updates what is shown, at most once a second. */
  show(texts: () => readonly string[]): void {
    const now = performance.now();
    if (!this.#shown || now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.clear();
    const text = texts().filter((each) => each !== "").join("\n");
    // Lines that have scrolled off the screen could not be erased.
    const rows = Deno.consoleSize().rows - 2;
    const lines = text.split("\n").slice(0, -1).slice(0, rows);
    if (lines.length === 0) return;
    out(lines.join("\n") + "\n");
    this.#lines = lines.length;
  }

  /** Erases what is shown. */
  clear(): void {
    eraseLines(this.#lines);
    this.#lines = 0;
  }
}
