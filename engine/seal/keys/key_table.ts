/**
 * Tables of keys in typed arrays. An hour with a key every 10 ms has hundreds of
 * thousands of them, and each would take some hundred bytes as an object.
 *
 * @module
 */

/** Rows of a table at the beginning. */
const FIRST_ROWS = 64;
const KEY_WORDS = 4;

/** An epoch that a CPU has begun. */
export interface Epoch {
  readonly epoch: number;
  /** Sequence number of the first entry sealed with its key. */
  readonly first: number;
  /** The key of that first entry; valid until the table changes. */
  readonly key: Int32Array;
}

/** Keys in rows, which are wiped when they are moved or removed. */
class KeyRows {
  #words = new Int32Array(FIRST_ROWS * KEY_WORDS);

  /** The key of a row; valid until the next row is set. */
  at(row: number): Int32Array {
    return this.#words.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS);
  }

  set(row: number, key: Int32Array): void {
    if ((row + 1) * KEY_WORDS > this.#words.length) {
      const more = new Int32Array(2 * this.#words.length);
      more.set(this.#words);
      this.#words.fill(0);
      this.#words = more;
    }
    this.#words.set(key, row * KEY_WORDS);
  }

  /** Removes the first rows. */
  drop(rows: number): void {
    this.#words.copyWithin(0, rows * KEY_WORDS);
    this.#words.fill(0, this.#words.length - rows * KEY_WORDS);
  }

  wipe(): void {
    this.#words.fill(0);
  }
}

/** Keys that were sent for epochs which have not begun. */
export class SentKeys {
  /** The row of each epoch. */
  readonly #rows = new Map<number, number>();
  readonly #keys = new KeyRows();
  readonly #free: number[] = [];

  /** Number of keys. */
  get size(): number {
    return this.#rows.size;
  }

  /** Adds a copy of a key. */
  set(epoch: number, key: Int32Array): void {
    const row = this.#rows.get(epoch) ?? this.#free.pop() ?? this.#rows.size;
    this.#keys.set(row, key);
    this.#rows.set(epoch, row);
  }

  /** The key of an epoch; valid until another one is added. */
  get(epoch: number): Int32Array | undefined {
    const row = this.#rows.get(epoch);
    return row === undefined ? undefined : this.#keys.at(row);
  }

  /** Wipes and removes a key. */
  remove(epoch: number): void {
    const row = this.#rows.get(epoch);
    if (row === undefined) return;
    this.#keys.at(row).fill(0);
    this.#rows.delete(epoch);
    this.#free.push(row);
    // Then no row is in use.
    if (this.#rows.size === 0) this.#free.length = 0;
  }

  /** Wipes all keys. */
  wipe(): void {
    this.#keys.wipe();
  }
}

/** Epochs in their order, each with the key with which it begins. */
export class Epochs implements Iterable<Epoch> {
  #epochs = new Float64Array(FIRST_ROWS);
  #firsts = new Float64Array(FIRST_ROWS);
  readonly #keys = new KeyRows();
  #begun = 0;
  #length = 0;

  /** Number of epochs that have begun: those whose keys are known. */
  get length(): number {
    return this.#begun;
  }

  /** Adds an epoch that begins at entry `first`. */
  add(epoch: number, first: number): void {
    const row = this.#length++;
    if (row === this.#epochs.length) {
      const epochs = new Float64Array(2 * this.#epochs.length);
      const firsts = new Float64Array(2 * this.#firsts.length);
      epochs.set(this.#epochs);
      firsts.set(this.#firsts);
      this.#epochs = epochs;
      this.#firsts = firsts;
    }
    this.#epochs[row] = epoch;
    this.#firsts[row] = first;
  }

  /** The number of an epoch; `undefined` when there is no such one. */
  epochAt(row: number): number | undefined {
    return row < 0 || row >= this.#length ? undefined : this.#epochs[row];
  }

  /** The first entry of an epoch; Infinity when there is no such epoch. */
  firstAt(row: number): number {
    return row < this.#length ? this.#firsts[row] : Infinity;
  }

  /** The next epoch begins, with a copy of a key. */
  begin(key: Int32Array): void {
    this.#keys.set(this.#begun++, key);
  }

  /** An epoch that has begun. */
  at(row: number): Epoch | undefined {
    if (row < 0 || row >= this.#begun) return undefined;
    return {
      epoch: this.#epochs[row],
      first: this.#firsts[row],
      key: this.#keys.at(row),
    };
  }

  /** The epochs that have begun. */
  *[Symbol.iterator](): Generator<Epoch, undefined> {
    for (let row = 0;; row++) {
      const epoch = this.at(row);
      if (epoch === undefined) return undefined;
      yield epoch;
    }
  }

  /** The last epoch that began at an entry, or before it. */
  of(sequence: number): Epoch | undefined {
    let low = 0;
    let high = this.#begun;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firsts[middle] <= sequence) low = middle + 1;
      else high = middle;
    }
    return this.at(low - 1);
  }

  /** Removes the first epochs, which have begun. */
  drop(rows: number): void {
    this.#epochs.copyWithin(0, rows);
    this.#firsts.copyWithin(0, rows);
    this.#keys.drop(rows);
    this.#begun -= rows;
    this.#length -= rows;
  }

  /** Wipes all keys. */
  wipe(): void {
    this.#keys.wipe();
  }
}
