/**
 * Reads files that users name: on the command line, or as their scripts.
 *
 * @module
 */
import { whyUnreadable, XftraceError } from "xftrace";

/**
 * The content of a file.
 *
 * @param option the option that names it, for the message: `--tracefs`
 * @throws {XftraceError} when it cannot be read, in one sentence.
 */
export function readGiven(path: string, option?: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw unreadable(path, error, option);
  }
}

/**
 * The text of a file.
 *
 * @param option the option that names it, for the message
 * @throws {XftraceError} when it cannot be read, in one sentence.
 */
export function readGivenText(path: string, option?: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw unreadable(path, error, option);
  }
}

/** The error for a file or folder that cannot be read. */
export function unreadable(
  path: string,
  error: unknown,
  option?: string,
): XftraceError {
  const named = option === undefined ? path : `${option} ${path}`;
  return new XftraceError(
    `${named} cannot be read: ${whyUnreadable(error)}`,
    { cause: error },
  );
}

/** Line `line` (from 1) of a script; `undefined` when it cannot be read. */
export function readLine(file: string, line: number): string | undefined {
  try {
    const text = Deno.readTextFileSync(
      file.startsWith("file:") ? new URL(file) : file,
    );
    return text.split("\n")[line - 1];
  } catch {
    // The message is useful without the line as well.
    return undefined;
  }
}
