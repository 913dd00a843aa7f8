/**
 * A bitmap in a file with one bit for each page frame. It is read in pieces, and
 * only counts are kept: of every 512 frames, how many bits are set before them.
 *
 * @module
 */
import { allocateBytes, allocateWords } from "../../base/allocate.ts";
import { XftraceError } from "../../base/errors.ts";
import type { ByteSource } from "../elf_core_source.ts";
import type { GpaRange } from "../physical_memory.ts";

/** Bytes between two counts. */
const STEP = 64;
const STEP_FRAMES = STEP * 8;
/** Bytes that are read at a time; a multiple of {@linkcode STEP}. */
const CHUNK = 1 << 16;
/** More steps than 2^32 frames have. */
const MOST_STEPS = 2 ** 32 / STEP_FRAMES;
/** More ranges than the free memory of a large host leaves of its dump. */
const MOST_RUNS = 1 << 22;

function bitsIn(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  word = (word + (word >>> 4)) & 0x0f0f0f0f;
  return Math.imul(word, 0x01010101) >>> 24;
}

/** The frames whose bit is set in a bitmap of a file. */
export class PageBitmap {
  /** How many bits are set. */
  readonly count: number;
  readonly #source: ByteSource;
  readonly #at: number;
  readonly #frames: number;
  readonly #before: Uint32Array;
  readonly #step = new Uint32Array(STEP / 4);
  readonly #stepBytes = new Uint8Array(this.#step.buffer);
  #loaded = -1;

  /**
   * @param at its offset in the file; it must lie within
   * @param frames how many bits it has
   */
  constructor(source: ByteSource, at: number, frames: number, path: string) {
    this.#source = source;
    this.#at = at;
    this.#frames = frames;
    const steps = Math.ceil(frames / STEP_FRAMES);
    this.#before = allocateWords(Uint32Array, steps, MOST_STEPS, path);
    let count = 0;
    for (const { first, words } of this.#chunks(path)) {
      for (let i = 0; i < words.length; i++) {
        if (i % (STEP / 4) === 0) {
          const step = first / STEP_FRAMES + i / (STEP / 4);
          if (step < steps) this.#before[step] = count;
        }
        if (words[i] !== 0) count += bitsIn(words[i]);
      }
    }
    this.count = count;
  }

  /**
   * How many bits are set before that of this frame, or -1 when its own is not.
   */
  rank(frame: number): number {
    if (!(frame >= 0 && frame < this.#frames)) return -1;
    const step = Math.floor(frame / STEP_FRAMES);
    if (step !== this.#loaded) {
      this.#loaded = -1;
      const bytes = Math.min(STEP, this.#bytes - step * STEP);
      this.#step.fill(0);
      this.#source.readAt(
        this.#at + step * STEP,
        this.#stepBytes.subarray(0, bytes),
      );
      this.#loaded = step;
    }
    const bit = frame % STEP_FRAMES;
    const word = bit >>> 5;
    if (((this.#step[word] >>> (bit & 31)) & 1) === 0) return -1;
    let rank = this.#before[step];
    for (let i = 0; i < word; i++) rank += bitsIn(this.#step[i]);
    const below = (1 << (bit & 31)) - 1;
    return rank + bitsIn(this.#step[word] & below);
  }

  /**
   * The frames whose bits are set as ranges of addresses, ascending.
   *
   * @param keep says for each of them, by its rank, whether it belongs to them
   * @throws {XftraceError} when there are more ranges than any dump has.
   */
  ranges(
    path: string,
    pageSize: number,
    keep?: (rank: number) => boolean,
  ): GpaRange[] {
    const found: { start: number; end: number }[] = [];
    let start = -1;
    const close = (frame: number) => {
      if (start < 0) return;
      if (found.length === MOST_RUNS) {
        throw new XftraceError(
          `${path} holds memory in more than ${
            MOST_RUNS.toLocaleString("en-US")
          } separate ranges; leave out less of it (makedumpfile -d 1)`,
        );
      }
      found.push({ start: start * pageSize, end: frame * pageSize });
      start = -1;
    };
    let rank = 0;
    for (const { first, words } of this.#chunks(path)) {
      for (let i = 0; i < words.length; i++) {
        const word = words[i];
        const frame = first + i * 32;
        if (word === 0) {
          close(frame);
        } else if (word === 0xffffffff && keep === undefined) {
          if (start < 0) start = frame;
          rank += 32;
        } else {
          for (let bit = 0; bit < 32; bit++) {
            const set = ((word >>> bit) & 1) === 1;
            if (set && (keep === undefined || keep(rank))) {
              if (start < 0) start = frame + bit;
            } else close(frame + bit);
            if (set) rank++;
          }
        }
      }
    }
    close(this.#frames);
    return found;
  }

  get #bytes(): number {
    return Math.ceil(this.#frames / 8);
  }

  /** The words of the bitmap, without the bits behind its last frame. */
  *#chunks(path: string): Generator<{ first: number; words: Uint32Array }> {
    const buffer = allocateBytes(CHUNK, CHUNK, path);
    for (let at = 0; at < this.#bytes; at += CHUNK) {
      const length = Math.min(CHUNK, this.#bytes - at);
      const padded = Math.ceil(length / 4) * 4;
      buffer.fill(0, length, padded);
      this.#source.readAt(this.#at + at, buffer.subarray(0, length));
      const words = new Uint32Array(buffer.buffer, 0, padded / 4);
      const left = this.#frames - at * 8;
      if (left < padded * 8) {
        const last = left >>> 5;
        if (last < words.length) {
          words[last] &= (1 << (left & 31)) - 1;
          words.fill(0, last + 1);
        }
      }
      yield { first: at * 8, words };
    }
  }
}
