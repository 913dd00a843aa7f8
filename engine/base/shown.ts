/**
 * Text that somebody else wrote, made fit to be shown on a terminal.
 *
 * @module
 */

/** Characters of a text that are shown when no limit is given. */
const LIMIT = 400;

/** Controls, surrogates that stand alone, and marks that turn a line's order. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * A text in one line in which nothing can steer a terminal: line feeds
 * become spaces, other control characters `\xNN` or `\u{N}`. What is too long
 * ends in `...`.
 *
 * @param limit characters to show
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
