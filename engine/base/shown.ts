/**
 * Makes text that a guest or a file supplies safe to show: nothing in it can
 * control a terminal, begin a line of its own, or change the direction in which
 * a line is read.
 *
 * @module
 */

/** Characters that are shown when no limit is given. */
const LIMIT = 400;

/**
 * What is not shown as it is: control characters (C0, DEL, C1), invisible ones,
 * among them the marks that change the direction of a line, lone surrogates
 * (which stand for bytes that are not UTF-8), and the separators of lines. Also
 * the letters of scripts that are written from right to left: on terminals that
 * follow the Unicode Bidirectional Algorithm, one of them exchanges the numbers
 * behind it, so that a name could reorder the columns of its row. The ranges are
 * those that DerivedBidiClass.txt reserves for R and AL.
 */
const UNFIT = "\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}\\p{DI}\\u2800" +
  "\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff" +
  "\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}";
const EACH_UNFIT = new RegExp(`[${UNFIT}]`, "gv");
/** A text that is not shown as it is. */
const SOME_UNFIT = new RegExp(`[${UNFIT}]`, "v");
/** Most texts are plain: finding that out first takes half the time. */
const NOT_PLAIN = /[^ -~]/;
const NOT_PLAIN_LINES = /[^\n -~]/;
/** The same, within text whose line ends and tabs are our own. */
const EACH_IN_LINES = new RegExp(`[[${UNFIT}]--[\\n\\t]]`, "gv");
/** The same, within JSON, where `\n` is the only control character left. */
const EACH_IN_JSON = new RegExp(`[[${UNFIT}]--[\\n]]`, "gv");

/**
 * A text of somebody else as part of a line of ours: `\xNN` or `\u{N}` stands
 * for each character that is not shown as it is. Text without such characters
 * is returned unchanged.
 *
 * @example
 * ```ts
 * import { shown } from "xftrace";
 *
 * console.log(shown("a\x1b[31m").length); // 8: the escape is four characters
 * ```
 */
export function shown(text: string): string {
  return NOT_PLAIN.test(text) ? text.replace(EACH_UNFIT, escaped) : text;
}

/** Whether {@linkcode shown} would change a text. */
export function isUnfit(text: string): boolean {
  return SOME_UNFIT.test(text);
}

/**
 * Like {@linkcode shown}, for text that consists of lines of ours: line ends
 * and tabs are left. Only for text in which those of others are escaped
 * already.
 *
 * @example
 * ```ts
 * import { shownLines } from "xftrace";
 *
 * console.log(shownLines("two lines,\none \x9b31m"));
 * ```
 */
export function shownLines(text: string): string {
  return NOT_PLAIN_LINES.test(text)
    ? text.replace(EACH_IN_LINES, escaped)
    : text;
}

/**
 * JSON without the characters that JSON allows within strings, but that must
 * not reach a terminal: they are written as `\uNNNN`, which any reader of JSON
 * turns back into the same characters.
 *
 * @param json as `JSON.stringify` returns it, or several such lines
 *
 * @example
 * ```ts
 * import { shownJson } from "xftrace";
 *
 * console.log(shownJson(JSON.stringify("\x9b31m"))); // "\u009b31m"
 * ```
 */
export function shownJson(json: string): string {
  return NOT_PLAIN_LINES.test(json) ? json.replace(EACH_IN_JSON, inJson) : json;
}

/**
 * Like {@linkcode shown}, for the texts among the members of an object; others
 * are left as they are.
 */
export function shownMembers<T extends object>(value: T): T {
  const copy: T = { ...value };
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === "string") {
      Object.defineProperty(copy, name, {
        value: shown(member),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return copy;
}

/**
 * A text on one line of bounded length: line feeds and tabs become spaces, and
 * the rest is as in {@linkcode shown}. A longer text ends in `...`.
 *
 * @param limit how many characters to show
 */
export function shownText(text: string, limit = LIMIT): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return shown(cut.replace(/[\r\n\t ]+/g, " ").trim());
}

/** A byte that is not UTF-8 (see byte_text.ts) is shown as that byte. */
function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code & 0xff, 2)}`;
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 0)}}`;
}

function inJson(character: string): string {
  let text = "";
  for (let i = 0; i < character.length; i++) {
    text += `\\u${hex(character.charCodeAt(i), 4)}`;
  }
  return text;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
