/**
 * Text that is written as bytes into memory that is used again and again: no
 * string is made of a line, and nothing is allocated for an event.
 *
 * Pieces are copied in steps of whole words, so that there are stores beyond the
 * end of what was written: the next piece overwrites them.
 *
 * @module
 */
import { textBytes } from "../byte_text.ts";
import type { KeptTexts } from "./kept_texts.ts";

/** Bytes that a piece may write beyond its end. */
const BEYOND = 32;
/** Bytes of room at first, and of that which is kept for further texts. */
const LEAST_ROOM = 4096;
const MOST_ROOM = 1 << 20;
/** Four spaces. */
const SPACES = 0x20202020;

/** The digits of 0 to 999 in the low bytes; in the high one, how many. */
const SHORT = new Uint32Array(1000);
/** The same with leading zeros. */
const PADDED = new Uint32Array(1000);
for (let i = 0; i < 1000; i++) {
  const digits = String(i);
  SHORT[i] = packed(digits) | digits.length << 24;
  PADDED[i] = packed(digits.padStart(3, "0"));
}
/** Two hexadecimal digits. */
const HEX = Uint16Array.from(
  { length: 256 },
  (_, byte) => packed(byte.toString(16).padStart(2, "0")),
);

/** Up to four characters of ASCII as a number: the first in the low byte. */
export function packed(text: string): number {
  let word = 0;
  for (let i = 0; i < text.length; i++) word |= text.charCodeAt(i) << 8 * i;
  return word;
}

/** Text that grows at its end. */
export class TextBuffer {
  /** The bytes; those up to {@linkcode length} are text. */
  bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes were written; may be set back. */
  length = 0;
  #view: DataView<ArrayBuffer>;
  #limit: number;

  /** @param capacity bytes of room at first; it grows */
  constructor(capacity = LEAST_ROOM) {
    const bytes = new Uint8Array(capacity + BEYOND);
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#limit = capacity;
  }

  /** What was written; valid until something else is. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  /** Begins anew; the room of an uncommonly long text is given up. */
  clear(): void {
    this.length = 0;
    if (this.#limit > MOST_ROOM) this.#make(LEAST_ROOM);
  }

  /** Makes room for more bytes. */
  reserve(more: number): void {
    if (this.length + more > this.#limit) this.#grow(this.length + more);
  }

  /** Appends a text that is kept. */
  kept(texts: KeptTexts, place: number): void {
    const words = texts.words;
    const length = words[place];
    if (this.length + length > this.#limit) this.#grow(this.length + length);
    const view = this.#view;
    const end = place + 1 + (length + 3 >> 2);
    let at = this.length;
    this.length = at + length;
    for (let from = place + 1; from < end; from += 4) {
      view.setUint32(at, words[from], true);
      view.setUint32(at + 4, words[from + 1], true);
      view.setUint32(at + 8, words[from + 2], true);
      view.setUint32(at + 12, words[from + 3], true);
      at += 16;
    }
  }

  /** Appends any text; see byte_text.ts for bytes that are not UTF-8. */
  text(text: string): void {
    const { length } = text;
    if (this.length + length > this.#limit) this.#grow(this.length + length);
    const bytes = this.bytes;
    const at = this.length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.#encoded(text);
        return;
      }
      bytes[at + i] = code;
    }
    this.length = at + length;
  }

  #encoded(text: string): void {
    const encoded = textBytes(text);
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  /** Appends bytes up to a NUL. */
  upToNul(from: Uint8Array, start: number, end: number): void {
    const most = end - start;
    if (!(most > 0)) return;
    if (this.length + most > this.#limit) this.#grow(this.length + most);
    const bytes = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i++) {
      const byte = from[i];
      if (byte === 0) break;
      bytes[at++] = byte;
    }
    this.length = at;
  }

  /** Appends one ASCII character, by its code. */
  char(code: number): void {
    if (this.length + 1 > this.#limit) this.#grow(this.length + 1);
    this.bytes[this.length++] = code;
  }

  /** Appends two ASCII characters: the code of the first in the low byte. */
  pair(codes: number): void {
    if (this.length + 2 > this.#limit) this.#grow(this.length + 2);
    this.#view.setUint16(this.length, codes, true);
    this.length += 2;
  }

  /** Appends four ASCII characters, the first in the low byte. */
  four(codes: number): void {
    if (this.length + 4 > this.#limit) this.#grow(this.length + 4);
    this.#view.setUint32(this.length, codes, true);
    this.length += 4;
  }

  /** Appends spaces; none for a negative number. */
  spaces(count: number): void {
    if (count <= 0) return;
    if (this.length + count > this.#limit) this.#grow(this.length + count);
    const view = this.#view;
    const end = this.length + count;
    for (let at = this.length; at < end; at += 8) {
      view.setUint32(at, SPACES, true);
      view.setUint32(at + 4, SPACES, true);
    }
    this.length = end;
  }

  /** Appends an integer in decimal. */
  decimal(value: number): void {
    if (this.length + BEYOND > this.#limit) this.#grow(this.length + BEYOND);
    if (value >= 0 && value < 1000) {
      const word = SHORT[value];
      this.#view.setUint32(this.length, word, true);
      this.length += word >>> 24;
    } else if (!Number.isSafeInteger(value)) this.text(String(value));
    else if (value < 0) {
      this.bytes[this.length++] = 0x2d;
      this.#positive(-value);
    } else this.#positive(value);
  }

  /** An unsigned number of 64 bits in decimal. */
  decimal64(lo: number, hi: number): void {
    if (hi < 0x20_0000) this.decimal(hi * 4294967296 + lo);
    else this.text(String(BigInt(hi) << 32n | BigInt(lo)));
  }

  /** A signed number of 64 bits in decimal, from unsigned halves. */
  signed64(lo: number, hi: number): void {
    const upper = hi | 0;
    if (upper >= -0x20_0000 && upper < 0x20_0000) {
      this.decimal(upper * 4294967296 + lo);
    } else {
      this.text(String(BigInt.asIntN(64, BigInt(hi) << 32n | BigInt(lo))));
    }
  }

  /** Six digits of a number below a million. */
  six(value: number): void {
    if (this.length + BEYOND > this.#limit) this.#grow(this.length + BEYOND);
    const upper = value / 1000 | 0;
    this.#view.setUint32(this.length, PADDED[upper], true);
    this.#view.setUint32(this.length + 3, PADDED[value - 1000 * upper], true);
    this.length += 6;
  }

  /** Three digits of a number below a thousand. */
  three(value: number): void {
    if (this.length + BEYOND > this.#limit) this.#grow(this.length + BEYOND);
    this.#view.setUint32(this.length, PADDED[value], true);
    this.length += 3;
  }

  #positive(value: number): void {
    if (value < 1000) {
      const word = SHORT[value];
      this.#view.setUint32(this.length, word, true);
      this.length += word >>> 24;
      return;
    }
    const rest = Math.floor(value / 1000);
    this.#positive(rest);
    this.#view.setUint32(this.length, PADDED[value - 1000 * rest], true);
    this.length += 3;
  }

  /** An unsigned number of 64 bits in hexadecimal, without leading zeros. */
  hex64(lo: number, hi: number): void {
    if (this.length + BEYOND > this.#limit) this.#grow(this.length + BEYOND);
    if (hi === 0) this.#hexShort(lo);
    else {
      this.#hexShort(hi);
      this.#hex8(lo);
      this.length += 8;
    }
  }

  #hexShort(value: number): void {
    const digits = 8 - (Math.clz32(value | 1) >> 2);
    this.#hex8(value << 32 - 4 * digits);
    this.length += digits;
  }

  #hex8(value: number): void {
    const view = this.#view;
    const at = this.length;
    view.setUint16(at, HEX[value >>> 24], true);
    view.setUint16(at + 2, HEX[value >>> 16 & 0xff], true);
    view.setUint16(at + 4, HEX[value >>> 8 & 0xff], true);
    view.setUint16(at + 6, HEX[value & 0xff], true);
  }

  /** Puts a character before what was written from a place on, up to a width. */
  filled(start: number, width: number, code: number): void {
    const missing = width - (this.length - start);
    if (missing <= 0) return;
    this.reserve(missing);
    this.bytes.copyWithin(start + missing, start, this.length);
    this.bytes.fill(code, start, start + missing);
    this.length += missing;
  }

  #grow(needed: number): void {
    const { written } = this;
    this.#make(Math.max(needed, 2 * this.#limit));
    this.bytes.set(written);
  }

  #make(capacity: number): void {
    this.bytes = new Uint8Array(capacity + BEYOND);
    this.#view = new DataView(this.bytes.buffer);
    this.#limit = capacity;
  }
}
