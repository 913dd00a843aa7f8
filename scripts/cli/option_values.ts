/** Parsers for the values of options, and the error for a wrong one. */
import { EXIT, XftraceError } from "xftrace";

/** Makes an error in the command line: one sentence that says what to give. */
export function usage(message: string): XftraceError {
  return new XftraceError(message, { exitCode: EXIT.usage });
}

/** Parses names that are separated by commas: `--only XF001,XF008`. */
export function nameList(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((n) => n !== "");
}

/**
 * Parses a number, 0 or more.
 *
 * @throws {XftraceError} when it is none.
 */
export function numberFor(option: string): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? NaN : Number(text);
    if (Number.isFinite(value) && value >= 0) return value;
    throw usage(`${option} takes a number, 0 or more, and not "${text}"`);
  };
}
