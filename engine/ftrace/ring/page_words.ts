/**
 * The words of one CPU's sub-buffers, wherever they lie: as views of the guest's
 * memory where it can be mapped, read each time where not.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { PageArena } from "./columns.ts";
import type { PageLayout } from "./meta.ts";
import type { RingPage } from "./ring_buffer.ts";

/** A page's header: the two halves of its stamp, and its commit. */
export interface PageHeader {
  stampLo: number;
  stampHi: number;
  /** Bytes of data, without flags. */
  commit: number;
  /**
   * Whether a reader in the guest has handed the page back; the commit is then
   * how much that reader has read.
   */
  handedBack: boolean;
}

/** Low bits of a commit word; the bits above are flags for readers. */
const COMMIT_BITS = 0x3fff_ffff;

/** More bytes than precede the events of a page. */
const MOST_HEAD = 1024;

/** Reads a CPU's pages, and their `struct buffer_page`, by index. */
export class PageWords {
  readonly #space: AddressSpace;
  readonly #layout: PageLayout;
  readonly #pageSize: number;
  readonly #gpas: Float64Array;
  readonly #pointers: Float64Array;
  readonly #writes: Float64Array;
  readonly #reads: Float64Array;
  readonly #dataLo: Uint32Array;
  readonly #dataHi: Uint32Array;
  readonly #words: (Uint32Array | undefined)[];
  readonly #pointerWords: (Uint32Array | undefined)[];
  readonly #writeWords: (Uint32Array | undefined)[];
  readonly #readWords: (Uint32Array | undefined)[];
  readonly #head: Uint8Array;
  readonly #headWords: Uint32Array;

  /**
   * @param pageSize size of a sub-buffer in bytes
   * @throws {KernelError} when a page is not word-aligned.
   */
  constructor(
    space: AddressSpace,
    pages: readonly RingPage[],
    layout: PageLayout,
    pageSize: number,
  ) {
    this.#space = space;
    this.#layout = layout;
    this.#pageSize = pageSize;
    this.#gpas = Float64Array.from(pages, (page) => page.gpa);
    this.#pointers = Float64Array.from(pages, (page) => page.pointer);
    this.#writes = Float64Array.from(pages, (page) => page.write);
    this.#reads = Float64Array.from(pages, (page) => page.readAt);
    this.#dataLo = Uint32Array.from(
      pages,
      (page) => Number(page.data & 0xffffffffn),
    );
    this.#dataHi = Uint32Array.from(pages, (page) => Number(page.data >> 32n));
    this.#words = pages.map((page) => this.#view(page.gpa, pageSize));
    this.#pointerWords = pages.map((page) => this.#view(page.pointer, 8));
    this.#writeWords = pages.map((page) => this.#view(page.write, 8));
    this.#readWords = pages.map((page) => this.#view(page.readAt, 4));
    this.#headWords = allocateWords(
      Uint32Array,
      Math.ceil(Math.max(8, layout.data) / 4),
      MOST_HEAD / 4,
      "struct buffer_data_page",
    );
    this.#head = new Uint8Array(this.#headWords.buffer);
  }

  #view(gpa: number, length: number): Uint32Array | undefined {
    // A member is aligned to its size, and a page at least to a long.
    if (gpa % Math.min(length, 8) !== 0) {
      throw new KernelError(
        `a ring buffer page at GPA ${
          hex(gpa)
        } is not aligned: the ring is damaged`,
      );
    }
    const view = this.#space.memory.view(gpa, length);
    return view === undefined || view.byteOffset % 4 !== 0
      ? undefined
      : new Uint32Array(view.buffer, view.byteOffset, length / 4);
  }

  /** GPA of page `index`'s data. */
  gpa(index: number): number {
    return this.#gpas[index];
  }

  /** The two words of the pointer to page `index`'s data. */
  #pointer(index: number): Uint32Array {
    const words = this.#pointerWords[index];
    if (words !== undefined) return words;
    this.#space.memory.read(this.#pointers[index], this.#head.subarray(0, 8));
    return this.#headWords;
  }

  /** Whether page `index` still has the data page that it had last. */
  holds(index: number): boolean {
    const words = this.#pointer(index);
    return words[0] === this.#dataLo[index] && words[1] === this.#dataHi[index];
  }

  /**
   * Follows page `index`'s pointer, if it leads to another data page.
   *
   * @returns whether it does.
   */
  follow(index: number): boolean {
    const words = this.#pointer(index);
    const lo = words[0];
    const hi = words[1];
    if (lo === this.#dataLo[index] && hi === this.#dataHi[index]) return false;
    this.#dataLo[index] = lo;
    this.#dataHi[index] = hi;
    const data = (BigInt(hi) << 32n) | BigInt(lo);
    this.#gpas[index] = this.#space.translate(data).gpa;
    this.#words[index] = this.#view(this.#gpas[index], this.#pageSize);
    return true;
  }

  /** The low word of a member of a `buffer_page`. */
  #member(words: Uint32Array | undefined, gpa: number): number {
    if (words !== undefined) return words[0];
    const word = this.#head.subarray(0, 4);
    this.#space.memory.read(gpa, word);
    return this.#headWords[0];
  }

  /** The low word of page `index`'s `write`. */
  write(index: number): number {
    return this.#member(this.#writeWords[index], this.#writes[index]);
  }

  /** Page `index`'s `read`. */
  read(index: number): number {
    return this.#member(this.#readWords[index], this.#reads[index]);
  }

  /** Reads page `index`'s header. */
  header(index: number, into: PageHeader): PageHeader {
    const stamp = this.#layout.timeStamp >>> 2;
    const commit = this.#layout.commit >>> 2;
    let words = this.#words[index];
    if (words === undefined) {
      this.#space.memory.read(this.#gpas[index], this.#head);
      words = this.#headWords;
    }
    into.stampLo = words[stamp];
    into.stampHi = words[stamp + 1];
    into.commit = words[commit] & COMMIT_BITS;
    into.handedBack = false;
    return into;
  }

  /** Copies bytes of page `index` to the same place in an arena slot. */
  copy(
    index: number,
    arena: PageArena,
    slot: number,
    start: number,
    end: number,
  ): void {
    const words = this.#words[index];
    if (words === undefined) {
      this.#space.memory.read(
        this.#gpas[index] + start,
        arena.bytes.subarray(slot + start, slot + end),
      );
    } else {
      arena.words.set(
        words.subarray(start >>> 2, (end + 3) >>> 2),
        (slot + start) >>> 2,
      );
    }
  }
}
