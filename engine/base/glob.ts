/**
 * Glob matching, on strings (commands, file names, event names) and on names
 * stored in a byte array.
 *
 * @module
 */

/** Whether a string is a glob, that is, contains `*`, `?` or `[`. */
export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/**
 * A glob as a regular expression that must match the whole string: `*` any
 * characters, `?` one, `[a-z]` one of a class, `[!a-z]` one outside it.
 */
export function globRegExp(glob: string): RegExp {
  let source = "";
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i];
    const close = char === "[" ? glob.indexOf("]", i + 2) : -1;
    if (char === "*") source += "[^]*";
    else if (char === "?") source += "[^]";
    else if (close > 0) {
      source += classSource(glob.slice(i + 1, close));
      i = close;
    } else source += char.replace(/[\\^$.|+(){}[\]/]/g, "\\$&");
  }
  return new RegExp(`^${source}$`);
}

/**
 * A class, without its brackets, as one of a regular expression. A range that
 * runs backwards (`z-a`) contains nothing.
 */
function classSource(body: string): string {
  const negated = /^[!^]/.test(body);
  const literal = (char: string) => char.replace(/[\\\]^-]/, "\\$&");
  let source = negated ? "^" : "";
  for (let i = negated ? 1 : 0; i < body.length; i++) {
    const first = body[i];
    let last = first;
    if (body[i + 1] === "-" && i + 2 < body.length) {
      last = body[i + 2];
      i += 2;
    }
    if (first <= last) source += `${literal(first)}-${literal(last)}`;
  }
  return `[${source}]`;
}

/** The character codes of a string, for matching against bytes. */
export function codesOf(text: string): Uint16Array {
  return Uint16Array.from(text, (char) => char.charCodeAt(0));
}

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;

/** Index after the `]` of a class that opens at `at`, or -1. */
function classEnd(pattern: Uint16Array, at: number): number {
  const close = pattern.indexOf(0x5d, at + 2);
  return close < 0 ? -1 : close + 1;
}

/** Whether `code` is in the class `[...]` at `at`; `!` or `^` negate. */
function inClass(
  pattern: Uint16Array,
  at: number,
  end: number,
  code: number,
): boolean {
  let i = at + 1;
  const negated = pattern[i] === 0x21 || pattern[i] === 0x5e;
  if (negated) i++;
  for (; i < end - 1; i++) {
    let last = pattern[i];
    const first = last;
    if (pattern[i + 1] === 0x2d && i + 2 < end - 1) {
      last = pattern[i + 2];
      i += 2;
    }
    if (code >= first && code <= last) return !negated;
  }
  return negated;
}

/**
 * Whether a glob matches the name at `names[start, end)`, as
 * {@linkcode globRegExp} does for a string.
 *
 * @param pattern the glob's {@linkcode codesOf}
 */
export function globMatches(
  pattern: Uint16Array,
  names: Uint8Array,
  start: number,
  end: number,
): boolean {
  let p = 0;
  let n = start;
  let starAt = -1;
  let starName = 0;
  while (n < end || p < pattern.length) {
    if (p < pattern.length && pattern[p] === STAR) {
      starAt = p++;
      starName = n;
      continue;
    }
    if (p < pattern.length && n < end) {
      const close = pattern[p] === OPEN ? classEnd(pattern, p) : -1;
      if (close > 0) {
        if (inClass(pattern, p, close, names[n])) {
          p = close;
          n++;
          continue;
        }
      } else if (pattern[p] === QUESTION || pattern[p] === names[n]) {
        p++;
        n++;
        continue;
      }
    }
    // Dead end: let the last star match one character more.
    if (starAt < 0 || starName >= end) return false;
    p = starAt + 1;
    n = ++starName;
  }
  return true;
}
