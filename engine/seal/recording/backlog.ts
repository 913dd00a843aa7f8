/**
 * Entries that have been read but not verified yet. Reading must keep up with
 * the guest; verification need not, and is done when there is time.
 *
 * @module
 */
import { ENTRY, ENTRY_WORDS } from "../page/abi.ts";
import type { SealVerifier } from "./verifier.ts";

/** Maximum number of waiting entries: 256 MiB. Beyond that, reading waits. */
const MOST_ENTRIES = 1 << 22;
/**
 * How many entries are verified at a time: some milliseconds, during which keys
 * wait.
 */
const PART = 2048;
/** The same for lost entries, whose keys are only stepped over. */
const LOST_PART = 1 << 15;

interface Item {
  readonly cpu: number;
  /** `undefined` when the entries were lost. */
  readonly words: Int32Array | undefined;
  readonly count: number;
}

/** A queue in front of a verifier. */
export class Backlog {
  readonly #verifier: SealVerifier;
  #items: Item[] = [];
  #next = 0;
  /** How many entries of the next item have been verified. */
  #done = 0;
  #entries = 0;

  constructor(verifier: SealVerifier) {
    this.#verifier = verifier;
  }

  /** Number of waiting entries. */
  get waiting(): number {
    return this.#entries;
  }

  /** Whether everything has been verified. */
  get empty(): boolean {
    return this.#next >= this.#items.length;
  }

  /** Adds a copy of some entries. */
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

  /** Adds entries that were overwritten, at their place in the sequence. */
  lost(cpu: number, count: number): void {
    this.#items.push({ cpu, count, words: undefined });
  }

  /** Verifies entries for some milliseconds; without a limit, all of them. */
  digest(milliseconds = Infinity): void {
    const end = performance.now() + milliseconds;
    while (this.#next < this.#items.length && performance.now() < end) {
      this.#one();
    }
  }

  #one(): void {
    const { cpu, words, count } = this.#items[this.#next];
    const from = this.#done;
    if (words === undefined) {
      const part = Math.min(LOST_PART, count - from);
      this.#verifier.lost(cpu, part);
      this.#done += part;
      if (this.#done < count) return;
    } else {
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
