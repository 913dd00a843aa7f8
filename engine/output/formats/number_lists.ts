/**
 * Many lists of numbers in little memory, however long they become: they are
 * kept in blocks, and on disk when these are used up.
 *
 * @module
 */
import { UnnamedFile } from "../../base/host_file/unnamed_file.ts";

/** Bytes of a block: a list has at least one. */
const BLOCK = 256;
/** Bytes in memory, unless a test says otherwise. */
const ROOM = 16 << 20;
/** Bytes that are read back at once. */
const STEP = 1 << 16;

/** One list; only its {@linkcode NumberLists} changes it. */
export class NumberList {
  /** Its first and last block; -1 if it has none. */
  first = -1;
  last = -1;
  /** Bytes used of the last block. */
  used = BLOCK;
  /** What of it is on disk: place and length, one after the other. */
  readonly kept: number[] = [];
}

/**
 * Lists of whole numbers from 0 to 2^53 - 1. Small numbers take little room:
 * those below 128 a byte.
 */
export class NumberLists implements Disposable {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** For each block: the next one of its list; -1 if there is none. */
  readonly #next: Int32Array;
  readonly #lists = new Set<NumberList>();
  #blocks = 0;
  #file: UnnamedFile | undefined;

  /** @param room bytes in memory */
  constructor(room: number = ROOM) {
    const blocks = Math.max(1, Math.floor(room / BLOCK));
    this.#bytes = new Uint8Array(blocks * BLOCK);
    this.#next = new Int32Array(blocks);
  }

  /**
   * Appends a number.
   *
   * @throws {XftraceError} when there is no room on disk.
   */
  push(list: NumberList, value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#byte(list, rest % 128 + 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(list, rest);
  }

  /** All numbers of a list, in order. */
  *numbers(list: NumberList): Generator<number> {
    let value = 0;
    let scale = 1;
    for (const bytes of this.#pieces(list)) {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i];
        value += (byte & 127) * scale;
        scale *= 128;
        if (byte >= 128) continue;
        yield value;
        value = 0;
        scale = 1;
      }
    }
  }

  /** Removes what is on disk. */
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }

  #byte(list: NumberList, byte: number): void {
    if (list.used === BLOCK) this.#extend(list);
    this.#bytes[list.last * BLOCK + list.used++] = byte;
  }

  #extend(list: NumberList): void {
    if (this.#blocks === this.#next.length) this.#spill();
    const block = this.#blocks++;
    this.#next[block] = -1;
    if (list.first < 0) {
      list.first = block;
      this.#lists.add(list);
    } else this.#next[list.last] = block;
    list.last = block;
    list.used = 0;
  }

  /** Moves all that is in memory to the disk. */
  #spill(): void {
    const file = this.#file ??= new UnnamedFile();
    const room = new Uint8Array(STEP);
    let used = 0;
    for (const list of this.#lists) {
      const at = file.size + used;
      let length = 0;
      for (const bytes of this.#inMemory(list)) {
        if (used + bytes.length > room.length) {
          file.append(room.subarray(0, used));
          used = 0;
        }
        room.set(bytes, used);
        used += bytes.length;
        length += bytes.length;
      }
      list.kept.push(at, length);
      list.first = list.last = -1;
      list.used = BLOCK;
    }
    file.append(room.subarray(0, used));
    this.#lists.clear();
    this.#blocks = 0;
  }

  *#pieces(list: NumberList): Generator<Uint8Array> {
    const room = new Uint8Array(list.kept.length === 0 ? 0 : STEP);
    for (let i = 0; i < list.kept.length; i += 2) {
      const end = list.kept[i] + list.kept[i + 1];
      for (let at = list.kept[i]; at < end; at += STEP) {
        const bytes = room.subarray(0, Math.min(STEP, end - at));
        this.#file!.read(at, bytes);
        yield bytes;
      }
    }
    yield* this.#inMemory(list);
  }

  *#inMemory({ first, last, used }: NumberList): Generator<Uint8Array> {
    for (let block = first; block >= 0; block = this.#next[block]) {
      const at = block * BLOCK;
      yield this.#bytes.subarray(at, at + (block === last ? used : BLOCK));
    }
  }
}
