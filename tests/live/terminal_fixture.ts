/**
 * Runs a command on a terminal: what it shows is read from an emulated screen,
 * and keys are sent to it.
 *
 * @module
 */
import xterm from "@xterm/headless";
import { fileURLToPath } from "node:url";
import { shellWord } from "../../engine/base/shell_word.ts";

const CONFIG = fileURLToPath(import.meta.resolve("../../deno.json"));
const SCRIPT = fileURLToPath(import.meta.resolve("../../scripts/xftrace.ts"));
/** How long a screen may take to show what is waited for, ms. */
const WAIT_MS = 90_000;

/** Keys that are more than one byte. */
export const KEYS = {
  up: "\x1b[A",
  down: "\x1b[B",
  right: "\x1b[C",
  left: "\x1b[D",
  enter: "\r",
  tab: "\t",
  escape: "\x1b",
  backspace: "\x7f",
  interrupt: "\x03",
} as const;

/** `xftrace` on a terminal. */
export class TerminalRun {
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;
  #raw = "";

  /** Starts it on a screen of this size. */
  constructor(args: readonly string[], columns = 110, rows = 30) {
    this.#terminal = new xterm.Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
    });
    const command = [
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      CONFIG,
      SCRIPT,
      ...args,
    ].map(shellWord).join(" ");
    this.#child = new Deno.Command("script", {
      args: [
        "-qefc",
        `stty cols ${columns} rows ${rows}; exec ${command}`,
        "/dev/null",
      ],
      env: { TERM: "xterm-256color", NO_COLOR: "" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#read = this.#readAll();
  }

  async #readAll(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) {
      this.#raw += decoder.decode(bytes, { stream: true });
      await new Promise<void>((done) => this.#terminal.write(bytes, done));
    }
  }

  /** Everything that was written to the terminal. */
  get raw(): string {
    return this.#raw;
  }

  /** Whether the screen is the one that a program takes for itself. */
  get taken(): boolean {
    return this.#terminal.buffer.active.type === "alternate";
  }

  /** What the screen shows. */
  screen(): string {
    const { active } = this.#terminal.buffer;
    return Array.from(
      { length: this.#terminal.rows },
      (_, i) => active.getLine(active.baseY + i)?.translateToString(true) ?? "",
    ).join("\n");
  }

  /** Whether the cell at the beginning of a text has this colour (0 to 15). */
  hasColour(text: string, colour: number): boolean {
    const { active } = this.#terminal.buffer;
    const lines = this.screen().split("\n");
    return lines.some((line, y) => {
      const x = line.indexOf(text);
      if (x < 0) return false;
      const cell = active.getLine(active.baseY + y)?.getCell(x);
      return cell?.isFgPalette() === true && cell.getFgColor() === colour;
    });
  }

  /** Types keys. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.#keys.write(new TextEncoder().encode(key));
      // An escape is a key of its own only if nothing follows it soon (node's
      // readline waits for half a second).
      const ms = key === KEYS.escape ? 800 : 60;
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }

  /** Waits until the screen shows something. */
  async shows(wanted: RegExp | ((screen: string) => boolean)): Promise<string> {
    const until = performance.now() + WAIT_MS;
    for (;;) {
      const screen = this.screen();
      if (wanted instanceof RegExp ? wanted.test(screen) : wanted(screen)) {
        return screen;
      }
      if (performance.now() > until) {
        throw new Error(`the screen never showed ${wanted}:\n${screen}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until the command has ended; returns its exit code. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    await this.#keys.close().catch(() => {});
    this.#terminal.dispose();
    return code;
  }
}
