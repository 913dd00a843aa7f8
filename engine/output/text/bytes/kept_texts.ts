/**
 * Texts that lines consist of, kept as bytes: names, labels, whatever occurs
 * again and again.
 *
 * @module
 */
import { textBytes } from "../byte_text.ts";

/** Words of room at first: formats have many pieces, most of them short. */
const ROOM = 64;
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
    return this.addBytes(textBytes(text));
  }

  /** The same with a text that consists of bytes already. */
  addBytes(bytes: Uint8Array): number {
    const place = this.#used;
    const taken = wordsOf(bytes.length);
    if (place + taken > this.words.length) this.#grow(place + taken);
    this.words[place] = bytes.length;
    new Uint8Array(this.words.buffer, 4 * place + 4, bytes.length).set(bytes);
    this.#used += taken;
    return place;
  }

  /** Forgets all texts, and the room that they took. */
  clear(): void {
    if (this.words.length > ROOM) this.words = new Uint32Array(ROOM);
    this.#used = 0;
  }

  #grow(needed: number): void {
    const words = new Uint32Array(Math.max(needed, 2 * this.words.length));
    words.set(this.words);
    this.words = words;
  }
}

/** How many words a text takes. */
export function wordsOf(bytes: number): number {
  return 1 + Math.ceil(bytes / 4 / STEP) * STEP;
}
