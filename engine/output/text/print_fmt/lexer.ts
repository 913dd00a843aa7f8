/**
 * Splits print_fmt's expression language, a subset of C, into tokens.
 *
 * @module
 */

/** The kind of a token. */
export type TokenKind = "number" | "string" | "name" | "punctuation" | "end";

/** A token. */
export interface Token {
  readonly kind: TokenKind;
  /** A name or punctuation as written, or a string without its quotes. */
  readonly text: string;
  /** A number's value. */
  readonly value: bigint;
  /** A number's suffix in lower case (`ul`); empty if there is none. */
  readonly suffix: string;
  /** Offset into the source. */
  readonly at: number;
}

/** A print_fmt that cannot be parsed or rendered; `message` says why. */
export class PrintFmtError extends Error {
  override readonly name = "PrintFmtError";
}

const SPACE = /\s+/y;
const NAME = /[A-Za-z_$][A-Za-z0-9_$]*/y;
const NUMBER = /(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)/y;
const PUNCTUATION =
  /<<=|>>=|\.\.\.|->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>=?:,.;(){}[\]]/y;

/**
 * Splits a print_fmt into tokens, of which the last has the kind `end`.
 *
 * @throws {PrintFmtError} at a character that cannot begin a token.
 */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  const push = (kind: TokenKind, text: string, value = 0n, suffix = "") => {
    tokens.push({ kind, text, value, suffix, at });
  };
  while (at < source.length) {
    const space = match(SPACE);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const character = source[at];
    if (character === '"' || character === "'") {
      const { text, next } = quoted(source, at);
      if (character === '"') push("string", text);
      else push("number", text, BigInt(text.charCodeAt(0) || 0));
      at = next;
      continue;
    }
    const name = match(NAME);
    if (name !== null) {
      push("name", name[0]);
      at += name[0].length;
      continue;
    }
    const number = match(NUMBER);
    if (number !== null) {
      push("number", number[0], integer(number[1]), number[2].toLowerCase());
      at += number[0].length;
      continue;
    }
    const punctuation = match(PUNCTUATION);
    if (punctuation === null) {
      throw new PrintFmtError(
        `"${character}" at ${at} is not part of an expression`,
      );
    }
    push("punctuation", punctuation[0]);
    at += punctuation[0].length;
  }
  push("end", "");
  return tokens;
}

/** A C integer: hexadecimal, octal with a leading 0, or decimal. */
function integer(text: string): bigint {
  return /^0[0-7]+$/.test(text) ? BigInt("0o" + text.slice(1)) : BigInt(text);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
};

function quoted(source: string, start: number): { text: string; next: number } {
  const quote = source[start];
  let text = "";
  let at = start + 1;
  while (at < source.length && source[at] !== quote) {
    if (source[at] !== "\\") {
      text += source[at++];
      continue;
    }
    const numeric = /^\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3})/.exec(
      source.substring(at, at + 4),
    );
    if (numeric !== null) {
      const digits = numeric[1];
      text += String.fromCharCode(
        digits[0] === "x" ? parseInt(digits.slice(1), 16) : parseInt(digits, 8),
      );
      at += numeric[0].length;
      continue;
    }
    const letter = source[at + 1] ?? "";
    text += ESCAPES[letter] ?? letter;
    at += 2;
  }
  if (at >= source.length) {
    throw new PrintFmtError(`the string that starts at ${start} has no end`);
  }
  return { text, next: at + 1 };
}
