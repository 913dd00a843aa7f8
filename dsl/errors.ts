/**
 * Errors in a script, with the place in the script.
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
 * An error in a script: an unknown name, unit or field, or something that the
 * target cannot deliver.
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
  /** The place in the script, when it is known. */
  readonly at: SourcePlace | undefined;

  constructor(message: string, at?: SourcePlace) {
    super(message, { exitCode: EXIT.usage });
    this.name = "CompileError";
    this.at = at;
  }

  /**
   * The message with the script's own line and a caret under it.
   *
   * @param readLine returns line `line` of `file`, or `undefined` when it
   * cannot
   */
  display(
    readLine: (file: string, line: number) => string | undefined,
  ): string {
    return withCaret(this.message, this.at, readLine);
  }
}

/** Folders of the language itself: their stack frames are not the script's. */
const OWN = [new URL(".", import.meta.url).href];

/** The place in the script that is calling into the language right now. */
export function here(): SourcePlace | undefined {
  return callerPlace(new Error().stack, OWN);
}

/**
 * The error about a value of a wrong kind, which only a script that no type
 * checker has looked at can pass.
 *
 * @param what what was expected
 */
export function expected(what: string, value: unknown): CompileError {
  const found = typeof value === "function"
    ? `the function ${value.name}`
    : typeof value === "object" && value !== null
    ? `an object (${value.constructor?.name ?? "Object"})`
    : String(value);
  return new CompileError(`${what} is expected here, and not ${found}`, here());
}

/**
 * The text, if it is one.
 *
 * @param value what the script passed
 * @param what what was expected
 */
export function textExpected(
  text: unknown,
  value: unknown,
  what: string,
): string {
  if (typeof text === "string") return text;
  throw expected(what, value);
}
