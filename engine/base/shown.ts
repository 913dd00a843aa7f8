/**
 * Makes text from an untrusted source safe to show on a terminal.
 *
 * @module
 */

/** Characters that are shown when no limit is given. */
const LIMIT = 400;

/**
 * Control characters, lone surrogates, and marks that change the direction of a
 * line.
 */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * A text on one line without anything that could control a terminal: line feeds
 * become spaces, other control characters `\xNN` or `\u{N}`. A longer text ends
 * in `...`.
 *
 * @param limit how many characters to show
 */
export function shownText(text: string, limit = LIMIT): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return cut.replace(/[\r\n\t ]+/g, " ").trim().replace(UNFIT, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}
