/**
 * Entries that were read and are still to be verified. Reading has to keep up
 * with the guest, verifying has not: it is done when there is time.
 *
 * @module
 */
import { ENTRY, ENTRY_WORDS } from "../page/abi.ts";
import type { SealVerifier } from "./verifier.ts";

/** Entries that wait at most: 256 MiB. Beyond that reading waits. */
const MOST_ENTRIES = 1 << 22;
/** Entries that are verified in one go: some milliseconds, keys wait for it. */
const PART = 2048;

interface Item {
  readonly cpu: number;
  /** `undefined`: they were lost. */
  readonly words: Int32Array | undefined;
  readonly count: number;
}

/** A queue before a verifier. */
export class Backlog {
  readonly #verifier: SealVerifier;
  #items: Item[] = [];
  #next = 0;
  /** Entries of the next item that are verified. */
  #done = 0;
  #entries = 0;

  constructor(verifier: SealVerifier) {
    this.#verifier = verifier;
  }

  /** Entries that wait. */
  get waiting(): number {
    return this.#entries;
  }

  /** Takes a copy of some entries. */
  entries(cpu: number, bytes: Uint8Array<ArrayBuffer>): void {
    const count = bytes.length / ENTRY.bytes;
    this.#items.push({
      cpu,
      count,
      words: new Int32Array(bytes.slice().buffer),
    });
    this.#entries += count;
    while (this.#entries > MOST_ENTRIES) this.#one();
  }

  /** Entries that were overwritten, in their place of the row. */
  lost(cpu: number, count: number): void {
    this.#items.push({ cpu, count, words: undefined });
  }

  /** Verifies for some milliseconds, or all with no limit. */
  digest(milliseconds = Infinity): void {
    const end = performance.now() + milliseconds;
    while (this.#next < this.#items.length && performance.now() < end) {
      this.#one();
    }
  }

  #one(): void {
    const { cpu, words, count } = this.#items[this.#next];
    if (words === undefined) this.#verifier.lost(cpu, count);
    else {
      const from = this.#done;
      const part = Math.min(PART, count - from);
      this.#verifier.feed(
        cpu,
        words.subarray(from * ENTRY_WORDS, (from + part) * ENTRY_WORDS),
        part,
      );
      this.#entries -= part;
      this.#done += part;
      if (this.#done < count) return;
    }
    this.#done = 0;
    this.#next++;
    if (this.#next === this.#items.length || this.#next > 1024) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
  }
}
