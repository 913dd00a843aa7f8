/**
 * Where something stands in the user's script, for messages that point at it.
 *
 * @module
 */

/** A place in a script. */
export interface SourcePlace {
  /** The script's URL or path. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly column: number;
}

const FRAME =
  /(?:^|[\s(])((?:file|https?|data|blob):[^\s()]*|\/[^\s():]+):(\d+):(\d+)\)?$/;
/** Code made of a text: its sourceURL, then where in the text. */
const EVALUATED = /\(((?:file|https?):[^\s()]*), <anonymous>:(\d+):(\d+)\)$/;

/**
 * The first place in a stack trace that is not in one of the folders whose
 * URLs are given: the line of the script that called into them.
 */
export function callerPlace(
  stack: string | undefined,
  inside: readonly string[],
): SourcePlace | undefined {
  for (const line of (stack ?? "").split("\n").slice(1)) {
    const match = EVALUATED.exec(line.trim()) ?? FRAME.exec(line.trim());
    if (match === null) continue;
    const file = match[1];
    // The tests beside the language's files are scripts to it.
    const own = inside.some((folder) => file.startsWith(folder)) &&
      !file.endsWith("_test.ts");
    if (own) continue;
    return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

/**
 * A message with the script's line under it and a caret below the column;
 * the message alone when the line cannot be had.
 *
 * @param readLine gives line `line` of `file`, `undefined` when it cannot
 */
export function withCaret(
  message: string,
  place: SourcePlace | undefined,
  readLine: (file: string, line: number) => string | undefined,
): string {
  if (place === undefined) return message;
  const text = readLine(place.file, place.line);
  const where = `${place.file}:${place.line}:${place.column}`;
  if (text === undefined) return `${message}\n    at ${where}`;
  // Tabs stay tabs, so that the caret stands under the same column.
  const indent = text.slice(0, place.column - 1).replace(/[^\t]/g, " ");
  return `${message}\n    at ${where}\n    ${text}\n    ${indent}^`;
}
