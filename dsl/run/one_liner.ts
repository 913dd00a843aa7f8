/**
 * One-liners: queries as the text of an expression.
 *
 * @module
 */
import { EXIT, XftraceError } from "../../engine/base/errors.ts";
import { didYouMean, nearNames } from "../../engine/base/near_names.ts";
import { withCaret } from "../../engine/query/place.ts";
import type { CompileError } from "../errors.ts";
import * as language from "../mod.ts";

/** The file name of the one-liner in stack traces. */
const URL_OF_TEXT = "file:///one-liner";
/** How many lines the generated function has before the text. */
const LINES_BEFORE = 3;

/**
 * Evaluates a one-liner: an expression of the language, or several separated by
 * commas. All names of the language are in scope.
 *
 * The text is run as code: accept it only from those who may run code here.
 *
 * @throws {XftraceError} when the text is not a query.
 *
 * @example
 * ```ts
 * import { oneLiner, open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const queries = oneLiner("trace(sys_openat).count(comm)");
 * const { texts } = await guest.run(queries);
 * console.log(texts[0]);
 * ```
 */
export function oneLiner(text: string): language.Query<unknown>[] {
  const names = Object.keys(language);
  const values: unknown[] = Object.values(language);
  let found: unknown;
  try {
    const make = new Function(
      ...names,
      `return [\n${text}\n];\n//# sourceURL=${URL_OF_TEXT}`,
    );
    found = make(...values);
  } catch (error) {
    throw explained(error, names);
  }
  const queries = Array.isArray(found) ? found : [];
  if (
    queries.length > 0 &&
    queries.every((each) => each instanceof language.Query)
  ) return queries;
  const trace = queries.some((each) => each instanceof language.Trace);
  throw new XftraceError(
    trace
      ? "the one-liner ends without a sink: add one, such as .print(), .count(comm) or .hist(duration)"
      : 'the one-liner is no trace: write one, such as trace(sys_openat).until("5s").count(comm)',
    { exitCode: EXIT.usage },
  );
}

/**
 * The message of an error in a one-liner, with a caret under the place.
 *
 * @param error what evaluating the one-liner or running its queries threw
 * @param text the one-liner
 *
 * @example
 * ```ts
 * import { CompileError, oneLiner, oneLinerMessage } from "xftrace";
 *
 * const text = 'trace(sys_openat).until("5 parsecs").count()';
 * try {
 *   oneLiner(text);
 * } catch (error) {
 *   if (!(error instanceof CompileError)) throw error;
 *   console.log(oneLinerMessage(error, text)); // with a caret under the place
 * }
 * ```
 */
export function oneLinerMessage(error: CompileError, text: string): string {
  const { at, message } = error;
  if (at?.file !== URL_OF_TEXT) return message;
  // Count lines from the beginning of the user's text.
  const place = { ...at, file: "the one-liner", line: at.line - LINES_BEFORE };
  return withCaret(message, place, (_, line) => text.split("\n")[line - 1]);
}

function explained(error: unknown, names: readonly string[]): unknown {
  if (error instanceof ReferenceError) {
    const name = /^(\S+) is not defined/.exec(error.message)?.[1];
    if (name !== undefined) {
      return new XftraceError(
        `the language has no "${name}"${didYouMean(nearNames(name, names))}`,
        { exitCode: EXIT.usage },
      );
    }
  }
  if (error instanceof SyntaxError || error instanceof TypeError) {
    return new XftraceError(
      `the one-liner is not understood: ${error.message}`,
      { exitCode: EXIT.usage },
    );
  }
  return error;
}
