/**
 * Verified entries of a CPU, kept until all have been read.
 *
 * @module
 */
import { ENTRY_KIND, WORD } from "../../seal/page/abi.ts";

const CHUNK_ENTRIES = 4096;
/**
 * What is kept of an entry: the words from its time to its shape, then `extra`.
 * All entries are kept until the last one is read.
 */
const KEPT_WORDS = WORD.shape - WORD.time + 2;
const EXTRA = KEPT_WORDS - 1;

/** One CPU's entries, kept until all entries have been read. */
export class CpuRow {
  readonly chunks: Int32Array[] = [];
  count = 0;
  /** How many entries are missing, by the index of the next one. */
  readonly #gaps = new Map<number, number>();
  #last = 0;

  /** Keeps an entry; `at`: where it is in `words`. */
  add(sequence: number, words: Int32Array, at: number): void {
    const missing = sequence - this.#last - 1;
    if (missing !== 0) this.#gaps.set(this.count, missing);
    this.#last = sequence;
    const inChunk = this.count % CHUNK_ENTRIES;
    if (inChunk === 0) {
      this.chunks.push(new Int32Array(CHUNK_ENTRIES * KEPT_WORDS));
    }
    const chunk = this.chunks[this.chunks.length - 1];
    const to = inChunk * KEPT_WORDS;
    for (let i = 0; i < EXTRA; i++) chunk[to + i] = words[at + WORD.time + i];
    chunk[to + EXTRA] = words[at + WORD.extra];
    this.count++;
  }

  /** A word of an entry, at one of `WORD`. */
  word(index: number, offset: number): number {
    return this
      .chunks[Math.floor(index / CHUNK_ENTRIES)][
        (index % CHUNK_ENTRIES) * KEPT_WORDS +
        (offset === WORD.extra ? EXTRA : offset - WORD.time)
      ];
  }

  /** How many entries are missing before one. */
  missing(index: number): number {
    return this.#gaps.get(index) ?? 0;
  }

  /** The kind of an entry, if it directly follows the one before it. */
  kindNext(index: number): number | undefined {
    return index < this.count && !this.#gaps.has(index)
      ? this.kind(index)
      : undefined;
  }

  /** One of `ENTRY_KIND`. */
  kind(index: number): number {
    return (this.word(index, WORD.shape) >>> 16) & 0xff;
  }

  /** The depth of a call. */
  depth(index: number): number {
    return this.word(index, WORD.shape) & 0xffff;
  }

  /** In nanoseconds; exact up to 104 days of uptime. */
  time(index: number): number {
    return this.word(index, WORD.time + 1) * 2 ** 32 +
      (this.word(index, WORD.time) >>> 0);
  }

  /** Two words of an entry as one number. */
  u64(index: number, offset: number): bigint {
    return (BigInt(this.word(index, offset + 1) >>> 0) << 32n) |
      BigInt(this.word(index, offset) >>> 0);
  }

  /** A copy of bytes of an entry, from one of `WORD` on. */
  bytes(index: number, offset: number, size: number): Uint8Array {
    const chunk = this.chunks[Math.floor(index / CHUNK_ENTRIES)];
    const at = 4 *
      ((index % CHUNK_ENTRIES) * KEPT_WORDS + offset - WORD.time);
    return new Uint8Array(chunk.buffer).slice(at, at + size);
  }
}

/** Whether an entry has a time; those of arguments and paths have none. */
export function isTimed(kind: number): boolean {
  return kind !== ENTRY_KIND.arguments && kind !== ENTRY_KIND.path;
}
