/**
 * Rows of events in few bytes, for a page: column after column, each number in
 * as many bytes as it needs.
 *
 * Written by the format `html`, and read by its page.
 *
 * @module
 */

/** Rows in one block; a page reads the blocks that it needs. */
export const BLOCK_ROWS = 32_768;

/** What a row is: as in the column `kind` of events, or a loss. */
export const ROW_KIND = { event: 0, entry: 1, return: 2, lost: 4 } as const;

/** Grows with the bytes that are added. */
export class PackedBytes {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a whole number from 0 to 2^53: seven bits a byte, the lowest first. */
  number(value: number): void {
    if (this.#length + 10 > this.#bytes.length) this.#grow(10);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = rest % 128 + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** Adds bytes. */
  add(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      this.#grow(bytes.length);
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The bytes so far; valid until the next call. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Removes everything, but keeps the memory. */
  clear(): void {
    this.#length = 0;
  }

  #grow(by: number): void {
    const bytes = new Uint8Array(
      Math.max(2 * this.#bytes.length, this.#length + by),
    );
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

/** Reads numbers that {@linkcode PackedBytes.number} wrote. */
export class PackedReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The next number; 0 past the end. */
  number(): number {
    const { bytes } = this;
    let byte = this.at < bytes.length ? bytes[this.at++] : 0;
    if (byte < 128) return byte;
    let value = byte & 127;
    let scale = 128;
    do {
      byte = this.at < bytes.length ? bytes[this.at++] : 0;
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value;
  }
}

/** The columns of a block, each of as many numbers as the block has rows. */
export const COLUMNS = [
  /** Time since the row before; of the first row, since the trace's start. */
  "ts",
  "cpu",
  "thread",
  "kind",
  /** Index of a name: of the function or the event. */
  "name",
  "depth",
  /** Of a return; of a loss: how many events, plus one, or 0 if unknown. */
  "duration",
  /** Bytes of the row's text. */
  "text",
] as const;

/** The name of a column. */
export type Column = typeof COLUMNS[number];
