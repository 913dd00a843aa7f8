/**
 * Lines of scripts, for messages that point at them.
 *
 * @module
 */

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
