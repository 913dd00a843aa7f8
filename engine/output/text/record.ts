/**
 * An event's bytes during rendering: one object is moved from event to event,
 * so that rendering allocates only text.
 *
 * @module
 */

import type { PageArena } from "../../ftrace/ring/columns.ts";
import { bytesText } from "./byte_text.ts";
import type { TextBuffer } from "./bytes/text_buffer.ts";

/**
 * The entry being rendered. Offsets are relative to the start of its
 * `trace_entry`. Reading beyond the entry gives 0 or the empty string, since
 * the bytes may be anything.
 */
export class RecordBytes {
  /** Size of the entry in bytes. */
  size = 0;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #base = 0;

  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0)) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.size = bytes.length;
  }

  /** Moves to another entry. */
  move(arena: PageArena, offset: number, size: number): void {
    if (this.#bytes !== arena.bytes) {
      this.#bytes = arena.bytes;
      this.#view = arena.view;
    }
    this.#base = offset;
    this.size = size;
  }

  /** The unsigned byte at `at`. */
  u8(at: number): number {
    return this.#has(at, 1) ? this.#bytes[this.#base + at] : 0;
  }

  /** The signed byte at `at`. */
  s8(at: number): number {
    return this.u8(at) << 24 >> 24;
  }

  /** The unsigned 16 bits at `at`. */
  u16(at: number): number {
    return this.#has(at, 2) ? this.#view.getUint16(this.#base + at, true) : 0;
  }

  /** The signed 16 bits at `at`. */
  s16(at: number): number {
    return this.#has(at, 2) ? this.#view.getInt16(this.#base + at, true) : 0;
  }

  /** The unsigned 32 bits at `at`. */
  u32(at: number): number {
    return this.#has(at, 4) ? this.#view.getUint32(this.#base + at, true) : 0;
  }

  /** The signed 32 bits at `at`. */
  s32(at: number): number {
    return this.#has(at, 4) ? this.#view.getInt32(this.#base + at, true) : 0;
  }

  /** The unsigned 64 bits at `at`. */
  u64(at: number): bigint {
    return this.#has(at, 8)
      ? this.#view.getBigUint64(this.#base + at, true)
      : 0n;
  }

  /** The signed 64 bits at `at`. */
  s64(at: number): bigint {
    return this.#has(at, 8)
      ? this.#view.getBigInt64(this.#base + at, true)
      : 0n;
  }

  /** The C string at `at`, of at most `limit` bytes; see byte_text.ts. */
  string(at: number, limit = Infinity): string {
    if (at < 0 || at >= this.size) return "";
    const bytes = this.#bytes;
    const start = this.#base + at;
    const end = Math.min(this.#base + this.size, start + limit);
    let text = "";
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      if (byte === 0) return text;
      if (byte >= 0x80) return this.#utf8(start, end);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Writes what {@linkcode string} returns. */
  writeString(out: TextBuffer, at: number, limit = Infinity): void {
    if (at < 0 || at >= this.size) return;
    const start = this.#base + at;
    const end = Math.min(this.#base + this.size, start + limit);
    out.upToNul(this.#bytes, start, end);
  }

  #utf8(start: number, end: number): string {
    let stop = start;
    while (stop < end && this.#bytes[stop] !== 0) stop++;
    return bytesText(this.#bytes.subarray(start, stop));
  }

  #has(at: number, length: number): boolean {
    return at >= 0 && at + length <= this.size;
  }
}
