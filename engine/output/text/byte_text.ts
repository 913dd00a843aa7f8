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
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at];
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const char = strict(bytes.subarray(at, at + length));
    text += char ?? byteChar(lead);
    at += char === undefined ? 1 : length;
  }
  return text;
}

function strict(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
