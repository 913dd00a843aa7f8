/**
 * The whole screen of a terminal, and its keys.
 *
 * @module
 */
import process from "node:process";
import { emitKeypressEvents } from "node:readline";
import { control, out } from "../terminal.ts";
import type { KeyPress } from "./view.ts";

/** Smaller screens show the beginning of what is drawn. */
const LEAST = { columns: 20, rows: 5 };

/**
 * Takes the screen while it exists, and gives it back as it was. Only lines that
 * change are written.
 */
export class Screen implements Disposable {
  #before: string[] = [];
  #size = { columns: 0, rows: 0 };
  #taken = false;
  readonly #keys = Deno.stdin.isTerminal();
  readonly #press: (key: KeyPress) => void;
  readonly #onKey = (_: unknown, key: KeyPress) => this.#press(key);
  readonly #onResize: () => void;

  /**
   * @param press called with each key
   * @param redraw called when the size has changed, or the screen was lost
   */
  constructor(press: (key: KeyPress) => void, redraw: () => void) {
    this.#press = press;
    this.#onResize = redraw;
    Deno.addSignalListener("SIGWINCH", redraw);
    this.#take();
  }

  /** Columns and rows. */
  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = Deno.consoleSize();
    return {
      columns: Math.max(LEAST.columns, columns),
      rows: Math.max(LEAST.rows, rows),
    };
  }

  /** Shows lines, the first one at the top. */
  draw(lines: readonly string[]): void {
    if (!this.#taken) return;
    const { columns, rows } = this.size;
    const same = columns === this.#size.columns && rows === this.#size.rows;
    this.#size = { columns, rows };
    let text = same ? "" : control("2J");
    lines.slice(0, rows).forEach((line, i) => {
      if (same && line === this.#before[i]) return;
      text += `${control(`${i + 1};1H`)}${line}${control("K")}`;
    });
    this.#before = [...lines];
    if (text !== "") out(text);
  }

  /** Gives the screen back until the process is continued, as Ctrl-Z does. */
  suspend(): void {
    this.#give();
    const again = () => {
      Deno.removeSignalListener("SIGCONT", again);
      this.#take();
      this.#onResize();
    };
    Deno.addSignalListener("SIGCONT", again);
    Deno.kill(Deno.pid, "SIGTSTP");
  }

  /** Gives the screen back. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGWINCH", this.#onResize);
    this.#give();
  }

  #take(): void {
    this.#taken = true;
    this.#size = { columns: 0, rows: 0 };
    out(control("?1049h") + control("?25l"));
    if (!this.#keys) return;
    emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true);
    process.stdin.on("keypress", this.#onKey);
    process.stdin.resume();
  }

  #give(): void {
    if (!this.#taken) return;
    this.#taken = false;
    out(control("?25h") + control("?1049l"));
    if (!this.#keys) return;
    process.stdin.off("keypress", this.#onKey);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}
