/**
 * JSON that somebody else has written: a guest's agent, a monitor, a file.
 *
 * @module
 */

/** Deeper than any that is read here is nested. */
const MOST_NESTED = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parses JSON that is nested no deeper than anything that xftrace reads. Each
 * level takes the parser many times the byte that opens it.
 *
 * @throws {SyntaxError} when it is no JSON, or is nested deeper.
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > MOST_NESTED) throw new SyntaxError("nested too deeply");
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return JSON.parse(text);
}

/** Where the string ends that begins at `at`; the text's end if it does not. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code === BACKSLASH) i++;
  }
  return text.length;
}
