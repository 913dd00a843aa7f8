/**
 * The records of one trace in a key log, kept as they are in the file: a trace
 * of an hour may have a million of them, which would take some hundred bytes
 * each as objects.
 *
 * @module
 */
import {
  decodeRecord,
  KLOG_CONTENT_BYTES,
  type KlogRecord,
  typeOfRecord,
} from "./klog_format.ts";

/** How many records one piece of memory holds. */
const PART = 4096;

/** Records in their order. */
export class KlogRecords implements Iterable<KlogRecord> {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** The number of records. */
  get length(): number {
    return this.#length;
  }

  /** Appends a copy of a record, given as its bytes in the file. */
  add(record: Uint8Array): void {
    const at = this.#length % PART;
    if (at === 0) this.#parts.push(new Uint8Array(PART * KLOG_CONTENT_BYTES));
    this.#parts[this.#parts.length - 1].set(
      record.subarray(0, KLOG_CONTENT_BYTES),
      at * KLOG_CONTENT_BYTES,
    );
    this.#length++;
  }

  /**
   * The records one after the other. The key of each is wiped when the next one
   * is taken.
   */
  [Symbol.iterator](): Generator<KlogRecord, undefined> {
    return this.#each();
  }

  /** The records of a type; otherwise like all of them. */
  ofType(type: number): Generator<KlogRecord, undefined> {
    return this.#each(type);
  }

  *#each(type?: number): Generator<KlogRecord, undefined> {
    const key = new Int32Array(4);
    try {
      for (let index = 0; index < this.#length; index++) {
        const bytes = this.#bytes(index);
        if (type !== undefined && typeOfRecord(bytes) !== type) continue;
        yield decodeRecord(bytes, key);
      }
    } finally {
      key.fill(0);
    }
    return undefined;
  }

  #bytes(index: number): Uint8Array {
    const at = (index % PART) * KLOG_CONTENT_BYTES;
    return this.#parts[Math.floor(index / PART)]
      .subarray(at, at + KLOG_CONTENT_BYTES);
  }

  /** A copy of the first record; `undefined` when there is none. */
  get first(): KlogRecord | undefined {
    return this.#length === 0 ? undefined : decodeRecord(this.#bytes(0));
  }

  /** A list of what `make` makes of a copy of each record. */
  map<T>(make: (record: KlogRecord) => T): T[] {
    const made: T[] = [];
    for (let index = 0; index < this.#length; index++) {
      made.push(make(decodeRecord(this.#bytes(index))));
    }
    return made;
  }

  /** Copies of the records for which `test` is true. */
  filter(test: (record: KlogRecord) => boolean): KlogRecord[] {
    return this.map((record) => record).filter(test);
  }

  /** Wipes all records, and removes them. */
  wipe(): void {
    for (const part of this.#parts) part.fill(0);
    this.#parts.length = 0;
    this.#length = 0;
  }
}
