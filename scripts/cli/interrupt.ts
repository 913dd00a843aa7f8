/**
 * Ctrl-C while a command steers a guest: what was begun is undone first.
 *
 * @module
 */
import { XftraceError } from "xftrace";

/** Notices Ctrl-C, and SIGTERM, from when it is made to its disposal. */
export class Interrupt implements Disposable {
  #asked = false;
  readonly #end = () => {
    this.#asked = true;
  };

  constructor() {
    Deno.addSignalListener("SIGINT", this.#end);
    Deno.addSignalListener("SIGTERM", this.#end);
  }

  /** Whether it was pressed. */
  get asked(): boolean {
    return this.#asked;
  }

  /** @throws {XftraceError} when it was pressed. */
  check(): void {
    if (!this.#asked) return;
    throw new XftraceError("interrupted; what was begun has been undone", {
      exitCode: 130,
    });
  }

  /** No longer notices it. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#end);
    Deno.removeSignalListener("SIGTERM", this.#end);
  }
}
