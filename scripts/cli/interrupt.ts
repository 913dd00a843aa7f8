/**
 * Ctrl-C while a command changes a guest: the command undoes its changes before
 * it ends.
 *
 * @module
 */
import { XftraceError } from "xftrace";

/** The exit code of a command that a signal ended. */
export const INTERRUPTED = 130;

/** Catches SIGINT and SIGTERM for as long as it exists. */
export class Interrupt implements Disposable {
  #asked = false;
  readonly #end = () => {
    this.#asked = true;
  };

  constructor() {
    Deno.addSignalListener("SIGINT", this.#end);
    Deno.addSignalListener("SIGTERM", this.#end);
  }

  /** Whether a signal was received. */
  get asked(): boolean {
    return this.#asked;
  }

  /** @throws {XftraceError} when a signal was received. */
  check(): void {
    if (!this.#asked) return;
    throw new XftraceError("interrupted; what was begun has been undone", {
      exitCode: INTERRUPTED,
    });
  }

  /** Stops catching the signals. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#end);
    Deno.removeSignalListener("SIGTERM", this.#end);
  }
}
