/**
 * Lines of scripts, for messages that point at them.
 *
 * @module
 */

/** Texts that are no files: what `xftrace eval` was given. */
const texts = new Map<string, string>();

/** Makes a text known under a URL. */
export function rememberText(url: string, text: string): void {
  texts.set(url, text);
}

/** Line `line` (from 1) of a script; `undefined` when it cannot be read. */
export function readLine(file: string, line: number): string | undefined {
  try {
    const text = texts.get(file) ??
      Deno.readTextFileSync(file.startsWith("file:") ? new URL(file) : file);
    return text.split("\n")[line - 1];
  } catch {
    // The message is good without the line.
    return undefined;
  }
}
