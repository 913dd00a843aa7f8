/**
 * Places in the user's script, so that messages can point at them.
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
/** Code from a string: its sourceURL, then the place in the string. */
const EVALUATED = /\(((?:file|https?):[^\s()]*), <anonymous>:(\d+):(\d+)\)$/;

/**
 * The first place in a stack trace that is outside the given folders (URLs):
 * the line of the script that called code in them.
 */
export function callerPlace(
  stack: string | undefined,
  inside: readonly string[],
): SourcePlace | undefined {
  for (const line of (stack ?? "").split("\n").slice(1)) {
    const match = EVALUATED.exec(line.trim()) ?? FRAME.exec(line.trim());
    if (match === null) continue;
    const file = match[1];
    // Tests in the language's own folders count as scripts.
    const own = inside.some((folder) => file.startsWith(folder)) &&
      !file.endsWith("_test.ts");
    if (own) continue;
    return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

/**
 * A message followed by the script's line and a caret below the column; only
 * the message if the line cannot be read.
 *
 * @param readLine returns line `line` of `file`, or `undefined`
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
  // Tabs are kept, so that the caret is below the right column.
  const indent = text.slice(0, place.column - 1).replace(/[^\t]/g, " ");
  return `${message}\n    at ${where}\n    ${text}\n    ${indent}^`;
}
