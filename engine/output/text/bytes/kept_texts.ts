/**
 * Texts that lines consist of, kept as bytes: names, labels, whatever occurs
 * again and again.
 *
 * @module
 */
import { textBytes } from "../byte_text.ts";

/** Words of room at first. */
const ROOM = 1024;
/** Words that a text takes at least: it is copied by as many at once. */
const STEP = 4;

/**
 * Texts, each at a place: its length in bytes, and then its bytes as words, the
 * last of which are filled up with anything.
 */
export class KeptTexts {
  /** The texts; replaced when they grow. */
  words: Uint32Array<ArrayBuffer> = new Uint32Array(ROOM);
  #used = 0;

  /** How many words the texts take. */
  get size(): number {
    return this.#used;
  }

  /** Keeps a text; returns its place. */
  add(text: string): number {
    const bytes = textBytes(text);
    const place = this.#used;
    const taken = 1 + Math.ceil(bytes.length / 4 / STEP) * STEP;
    if (place + taken > this.words.length) this.#grow(place + taken);
    this.words[place] = bytes.length;
    new Uint8Array(this.words.buffer, 4 * place + 4, bytes.length).set(bytes);
    this.#used += taken;
    return place;
  }

  /** Forgets all texts. */
  clear(): void {
    this.#used = 0;
  }

  #grow(needed: number): void {
    const words = new Uint32Array(Math.max(needed, 2 * this.words.length));
    words.set(this.words);
    this.words = words;
  }
}

/** Slots of the table at first, and at most; powers of two. */
const LEAST_SLOTS = 256;
const MOST_SLOTS = 1 << 18;
/** Words of text (16 MiB) after which all is forgotten. */
const MOST_WORDS = 1 << 22;

/**
 * Texts that are found again by a number of 64 bits, such as an address, in two
 * halves. There is a bound on what is kept, since guests choose the numbers: at
 * the bound, all is forgotten. A place is therefore valid until the next text
 * is kept.
 */
export class NumberedTexts extends KeptTexts {
  /** Low half, high half, and place + 1 of each slot; 0 where there is none. */
  #slots = new Int32Array(3 * LEAST_SLOTS);
  #mask = LEAST_SLOTS - 1;
  #count = 0;

  /** The place of the text of a number; -1 if it is not kept. */
  find(lo: number, hi: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const low = lo | 0;
    const high = hi | 0;
    for (let i = hash(low, high) & mask;; i = i + 1 & mask) {
      const place = slots[3 * i + 2];
      if (place === 0) return -1;
      if (slots[3 * i] === low && slots[3 * i + 1] === high) return place - 1;
    }
  }

  /** Keeps the text of a number for which there is none; returns its place. */
  keep(lo: number, hi: number, text: string): number {
    if (4 * this.#count >= 3 * (this.#mask + 1)) {
      if (this.#mask + 1 >= MOST_SLOTS) this.clear();
      else this.#enlarge();
    }
    if (this.size >= MOST_WORDS) this.clear();
    const place = this.add(text);
    this.#put(lo | 0, hi | 0, place + 1);
    this.#count++;
    return place;
  }

  override clear(): void {
    super.clear();
    this.#slots.fill(0);
    this.#count = 0;
  }

  #put(low: number, high: number, value: number): void {
    const slots = this.#slots;
    let i = hash(low, high) & this.#mask;
    while (slots[3 * i + 2] !== 0) i = i + 1 & this.#mask;
    slots[3 * i] = low;
    slots[3 * i + 1] = high;
    slots[3 * i + 2] = value;
  }

  #enlarge(): void {
    const before = this.#slots;
    this.#mask = 2 * this.#mask + 1;
    this.#slots = new Int32Array(3 * (this.#mask + 1));
    for (let at = 0; at < before.length; at += 3) {
      if (before[at + 2] !== 0) {
        this.#put(before[at], before[at + 1], before[at + 2]);
      }
    }
  }
}

/** Spreads numbers; half of a table at least is always free of them. */
function hash(low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ mixed >>> 15;
}
