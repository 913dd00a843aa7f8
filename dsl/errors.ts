/**
 * Errors in a script, with the place in the script that they are about.
 *
 * @module
 */
import { EXIT, XftraceError } from "../engine/base/errors.ts";
import {
  callerPlace,
  type SourcePlace,
  withCaret,
} from "../engine/query/place.ts";

/**
 * A script asks for what it cannot have: a wrong name, unit or field.
 *
 * @example
 * ```ts
 * import { CompileError, open, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * try {
 *   await trace("vfs_raed").on(guest).count();
 * } catch (error) {
 *   if (!(error instanceof CompileError)) throw error;
 *   console.log(error.message); // with near names
 * }
 * ```
 */
export class CompileError extends XftraceError {
  /** Where in the script, when that is known. */
  readonly at: SourcePlace | undefined;

  constructor(message: string, at?: SourcePlace) {
    super(message, { exitCode: EXIT.usage });
    this.name = "CompileError";
    this.at = at;
  }

  /**
   * The message with the script's own line and a caret under it.
   *
   * @param readLine gives line `line` of `file`, `undefined` when it cannot
   */
  display(
    readLine: (file: string, line: number) => string | undefined,
  ): string {
    return withCaret(this.message, this.at, readLine);
  }
}

/** Folders whose frames are the language's own, not the script's. */
const OWN = [new URL(".", import.meta.url).href];

/** The line of the script that is calling into the language now. */
export function here(): SourcePlace | undefined {
  return callerPlace(new Error().stack, OWN);
}
