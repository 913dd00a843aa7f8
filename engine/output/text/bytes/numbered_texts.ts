/**
 * Texts that are kept with the numbers that determine them: the name of an
 * address, the flags of a number.
 *
 * Guests and files choose the numbers. Therefore there is a bound on how much is
 * kept, and on how long is searched, whatever the numbers are: beyond it, a text
 * is made anew each time.
 *
 * @module
 */
import { textBytes } from "../byte_text.ts";
import { KeptTexts, wordsOf } from "./kept_texts.ts";
import type { TextBuffer } from "./text_buffer.ts";

/** Slots of a table at first; a power of two. */
const LEAST_SLOTS = 16;
/**
 * Slots that are searched at most. With half of them free and numbers that
 * nobody chose, it is nearly always a few.
 */
const LONGEST_SEARCH = 64;
/** Bytes of the longest text that is kept: longer ones rarely occur again. */
const LONGEST_TEXT = 4096;
/** Words that a text takes besides its own: those of its slots. */
const SLOT_WORDS = 3 * 4;

/**
 * The room that several tables share. When they have used it up, all of them
 * forget what they keep.
 */
export class TextRoom {
  readonly #most: number;
  readonly #tables: NumberedTexts[] = [];
  #used = 0;

  /** @param most words (of 4 bytes) that the texts take at most; 16 MiB */
  constructor(most = 1 << 22) {
    this.#most = most;
  }

  /** A table in this room. */
  table(): NumberedTexts {
    const table = new NumberedTexts(this);
    this.#tables.push(table);
    return table;
  }

  /** Takes words of the room. */
  take(words: number): void {
    if (this.#used + words > this.#most) {
      for (const table of this.#tables) table.clear();
      this.#used = 0;
    }
    this.#used += words;
  }

  /** What a table had taken is free again. */
  give(words: number): void {
    this.#used -= words;
  }
}

/**
 * Texts that are found again by a number of 64 bits, such as an address, in two
 * halves. A place is valid until the next text is kept.
 */
export class NumberedTexts extends KeptTexts {
  readonly #room: TextRoom;
  /** Low half, high half, and place + 1 of each slot; 0 where there is none. */
  #slots = new Int32Array(3 * LEAST_SLOTS);
  #mask = LEAST_SLOTS - 1;
  #count = 0;
  #taken = 0;

  /** @param room that it shares with others; see {@linkcode TextRoom.table} */
  constructor(room: TextRoom) {
    super();
    this.#room = room;
  }

  /** The place of the text of a number; -1 if it is not kept. */
  find(lo: number, hi: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const low = lo | 0;
    const high = hi | 0;
    let i = hash(low, high) & mask;
    for (let left = LONGEST_SEARCH; left > 0; left--) {
      const place = slots[3 * i + 2];
      if (place === 0) return -1;
      if (slots[3 * i] === low && slots[3 * i + 1] === high) return place - 1;
      i = i + 1 & mask;
    }
    return -1;
  }

  /** Writes the text of a number for which none is kept, and keeps it. */
  write(out: TextBuffer, lo: number, hi: number, text: string): void {
    out.text(text);
    if (text.length <= LONGEST_TEXT) this.#keep(lo | 0, hi | 0, text);
  }

  #keep(low: number, high: number, text: string): void {
    const bytes = textBytes(text);
    const words = SLOT_WORDS + wordsOf(bytes.length);
    // This may clear the table.
    this.#room.take(words);
    this.#taken += words;
    if (2 * (this.#count + 1) > this.#mask + 1) this.#enlarge();
    const slot = this.#free(low, high);
    if (slot < 0) {
      this.#taken -= words;
      this.#room.give(words);
      return;
    }
    this.#fill(slot, low, high, this.addBytes(bytes) + 1);
    this.#count++;
  }

  /** Forgets all texts, and gives back their room. */
  override clear(): void {
    super.clear();
    if (this.#mask >= LEAST_SLOTS) this.#resize(LEAST_SLOTS);
    else this.#slots.fill(0);
    this.#count = 0;
    this.#room.give(this.#taken);
    this.#taken = 0;
  }

  /** The slot for a number; -1 if there is none near where it is looked for. */
  #free(low: number, high: number): number {
    let i = hash(low, high) & this.#mask;
    for (let left = LONGEST_SEARCH; left > 0; left--) {
      if (this.#slots[3 * i + 2] === 0) return i;
      i = i + 1 & this.#mask;
    }
    return -1;
  }

  #fill(slot: number, low: number, high: number, value: number): void {
    const slots = this.#slots;
    slots[3 * slot] = low;
    slots[3 * slot + 1] = high;
    slots[3 * slot + 2] = value;
  }

  #resize(slots: number): void {
    this.#mask = slots - 1;
    this.#slots = new Int32Array(3 * slots);
  }

  #enlarge(): void {
    const before = this.#slots;
    this.#resize(2 * (this.#mask + 1));
    this.#count = 0;
    for (let at = 0; at < before.length; at += 3) {
      const value = before[at + 2];
      if (value === 0) continue;
      const slot = this.#free(before[at], before[at + 1]);
      if (slot < 0) continue;
      this.#fill(slot, before[at], before[at + 1], value);
      this.#count++;
    }
  }
}

/** Spreads numbers over the slots. */
function hash(low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ mixed >>> 15;
}
