/**
 * Bytes within text. The kernel prints bytes, and with some trace options they
 * are not valid UTF-8 (`bin`, `fields`). In a string, a byte from 0x80 on that
 * is not part of UTF-8 text is represented by a lone surrogate, U+DC80 to
 * U+DCFF, which no valid text contains; it is turned back into that byte when
 * the string is written.
 *
 * @module
 */

const ENCODER = new TextEncoder();
/** With the flag `u`, the second half of a surrogate pair does not match. */
const ESCAPED = /[\udc80-\udcff]/u;

/** The character that represents a byte, 0 to 255, in such a string. */
export function byteChar(byte: number): string {
  return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
}

/**
 * The bytes of a string: UTF-8, and the bytes represented by characters of
 * {@linkcode byteChar}.
 *
 * @example
 * ```ts
 * import { textBytes } from "xftrace/output";
 *
 * Deno.stdout.writeSync(textBytes("a line of a trace\n"));
 * ```
 */
export function textBytes(text: string): Uint8Array<ArrayBuffer> {
  if (!ESCAPED.test(text)) return ENCODER.encode(text);
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  let from = 0;
  for (const match of text.matchAll(/[\udc80-\udcff]+/gu)) {
    add(ENCODER.encode(text.substring(from, match.index)));
    add(Uint8Array.from(match[0], (char) => char.charCodeAt(0) & 0xff));
    from = match.index + match[0].length;
  }
  add(ENCODER.encode(text.substring(from)));
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A string that {@linkcode textBytes} turns back into the same bytes. */
export function bytesText(bytes: Uint8Array): string {
  const whole = strict(bytes);
  if (whole !== undefined) return whole;
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const end = validEnd(bytes, at);
    if (end > at) text += STRICT.decode(bytes.subarray(at, end));
    if (end < bytes.length) text += byteChar(bytes[end]);
    at = end;
  }
  return text;
}

/** Where the UTF-8 text ends that begins at a place. */
function validEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const length = charLength(bytes, at);
    if (length === 0) break;
    at += length;
  }
  return at;
}

/** The bytes of the character at a place; 0 if there is none. */
function charLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return 1;
  // Neither longer than need be, nor a surrogate, nor beyond U+10FFFF.
  const [length, least, most] = lead < 0xc2
    ? NONE
    : lead < 0xe0
    ? TWO
    : lead < 0xf0
    ? lead === 0xe0 ? E0 : lead === 0xed ? ED : THREE
    : lead < 0xf5
    ? lead === 0xf0 ? F0 : lead === 0xf4 ? F4 : FOUR
    : NONE;
  if (length === 0 || at + length > bytes.length) return 0;
  if (bytes[at + 1] < least || bytes[at + 1] > most) return 0;
  for (let i = 2; i < length; i++) {
    if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** Bytes of a character, and the range of the second of them. */
type Shape = readonly [length: number, least: number, most: number];

const NONE: Shape = [0, 0, 0];
const TWO: Shape = [2, 0x80, 0xbf];
const E0: Shape = [3, 0xa0, 0xbf];
const ED: Shape = [3, 0x80, 0x9f];
const THREE: Shape = [3, 0x80, 0xbf];
const F0: Shape = [4, 0x90, 0xbf];
const F4: Shape = [4, 0x80, 0x8f];
const FOUR: Shape = [4, 0x80, 0xbf];

function strict(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
