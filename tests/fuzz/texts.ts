/**
 * Changes of texts: their numbers, words, lines and brackets.
 *
 * @module
 */
import type { Random } from "../random.ts";
import type { Input } from "./target.ts";

const TOKEN = /0x[\da-fA-F]+|\d+|[A-Za-z_]\w*|\s+|[^\w\s]/g;
/** The most characters of a text that grows, and of one in 16. */
const USUAL = 1 << 14;
const MOST = 1 << 20;

const NUMBERS = [
  "0",
  "-1",
  "1",
  "2147483647",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "18446744073709551615",
  "18446744073709551616",
  "1e309",
  "0x",
  "0xffffffffffffffff",
  "ffffffffffffffff",
  "999999999999999999999999999999999999999999",
  "00000000000000000000000000000000",
  "0.5",
  "NaN",
];
const WORDS = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "..",
  "/dev/zero",
  "%s%n",
  "\0",
  "\n",
  "\x1b[2J",
  "\u202e",
  "a".repeat(5000),
  "(".repeat(3000),
  "[".repeat(3000),
  "{".repeat(3000),
];

/** Changes a text; the words are those that its format knows. */
export function mutateText(
  text: string,
  random: Random,
  words: readonly string[] = [],
): string {
  const tokens = text.match(TOKEN) ?? [];
  if (tokens.length === 0) return random.pick([...WORDS, ...words]);
  const times = 1 + random.next(4);
  const length = random.next(16) === 0 ? MOST : USUAL;
  for (let i = 0; i < times && tokens.length > 0; i++) {
    const at = random.next(tokens.length);
    switch (random.next(9)) {
      case 0:
      case 1: {
        const places = tokens.flatMap((token, j) =>
          /\d/.test(token) ? [j] : []
        );
        if (places.length > 0) {
          tokens[random.pick(places)] = random.pick(NUMBERS);
        }
        break;
      }
      case 2:
        tokens[at] = random.pick(WORDS);
        break;
      case 3:
        tokens[at] = words.length > 0
          ? random.pick(words)
          : tokens[random.next(tokens.length)];
        break;
      case 4:
        tokens.splice(at, 1 + random.next(8));
        break;
      case 5: {
        const from = random.next(tokens.length);
        tokens.splice(at, 0, ...tokens.slice(from, from + 1 + random.next(32)));
        break;
      }
      case 6: {
        const from = random.next(tokens.length);
        [tokens[at], tokens[from]] = [tokens[from], tokens[at]];
        break;
      }
      case 7: {
        // A part of it many times.
        const part = tokens.slice(at, at + 1 + random.next(6)).join("");
        const most = Math.max(1, Math.min(5000, length / (part.length + 1)));
        tokens.splice(at, 0, part.repeat(1 + random.next(most)));
        break;
      }
      default:
        tokens.length = at;
    }
  }
  return tokens.join("").slice(0, 2 * MOST);
}

/** Changes one of the texts. */
export function mutateTexts(
  input: Input,
  random: Random,
  words: readonly string[] = [],
): void {
  const part = random.next(input.length);
  input[part] = encoded(mutateText(decoded(input[part]), random, words));
}

/** The text of a part. */
export function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** A text as a part. */
export function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
