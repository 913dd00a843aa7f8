/**
 * Finds things by name without a string for each: a hash over the bytes of
 * all names, chained in index order. Symbols and BTF have some 100,000.
 *
 * @module
 */

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Where the names of some things lie: ASCII, without zeros. */
export interface NameBytes {
  readonly bytes: Uint8Array;
  /** Per thing: where its name starts. */
  readonly starts: Uint32Array;
  /** Per thing: where its name ends; default: at the first zero. */
  readonly ends?: Uint32Array;
}

/** Name to the indices of things. Empty names are not found. */
export class NameIndex {
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array | undefined;
  /** Per bucket: index of its first thing, or -1. */
  readonly #head: Int32Array;
  /** Per thing: the next one of the same bucket, or -1. */
  readonly #next: Int32Array;

  /** Takes about 10 ms for 160,000 names. */
  constructor({ bytes, starts, ends }: NameBytes) {
    const count = starts.length;
    let size = 256;
    while (size < count) size *= 2;
    const head = new Int32Array(size).fill(-1);
    const next = new Int32Array(count);
    // Backwards, so that chains are in index order: thousands of symbols
    // share a name, and the first one is the answer.
    for (let i = count - 1; i >= 0; i--) {
      const start = starts[i];
      const end = ends === undefined ? bytes.length : ends[i];
      let hash = FNV_OFFSET;
      let k = start;
      for (; k < end && bytes[k] !== 0; k++) {
        hash = Math.imul(hash ^ bytes[k], FNV_PRIME);
      }
      if (k === start) continue;
      const bucket = (hash ^ (hash >>> 15)) & (size - 1);
      next[i] = head[bucket];
      head[bucket] = i;
    }
    this.#bytes = bytes;
    this.#starts = starts;
    this.#ends = ends;
    this.#head = head;
    this.#next = next;
  }

  /** Index of the first thing of that name, or -1. */
  find(name: string): number {
    let hash = FNV_OFFSET;
    for (let k = 0; k < name.length; k++) {
      hash = Math.imul(hash ^ name.charCodeAt(k), FNV_PRIME);
    }
    const bucket = (hash ^ (hash >>> 15)) & (this.#head.length - 1);
    return this.#match(this.#head[bucket], name);
  }

  /** Indices of all things of that name, ascending. */
  all(name: string): number[] {
    const indices: number[] = [];
    let i = this.find(name);
    while (i >= 0) {
      indices.push(i);
      i = this.#match(this.#next[i], name);
    }
    return indices;
  }

  /** The first thing of that name in a chain from `i` on, or -1. */
  #match(i: number, name: string): number {
    const bytes = this.#bytes;
    const starts = this.#starts;
    const ends = this.#ends;
    const { length } = name;
    for (; i >= 0; i = this.#next[i]) {
      const start = starts[i];
      const end = start + length;
      if (ends === undefined ? bytes[end] !== 0 : ends[i] !== end) continue;
      let k = 0;
      while (k < length && bytes[start + k] === name.charCodeAt(k)) k++;
      if (k === length) return i;
    }
    return -1;
  }
}
