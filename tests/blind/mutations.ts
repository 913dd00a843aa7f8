/**
 * What an intruder may write into a word.
 *
 * @module
 */

import type { Random } from "../random.ts";

/** A changed word, and what was done to it. */
export interface Mutation {
  readonly how: string;
  readonly value: bigint;
}

/** What is known of a word's surroundings. */
export interface Surroundings {
  readonly before: bigint;
  readonly after: bigint;
  /** GVA of the intruder's code, if there is some. */
  readonly code?: bigint;
  /** Pointers that were read elsewhere. */
  readonly pointers: readonly bigint[];
}

/** How many changes, the first ones, no limit leaves out. */
const ALWAYS = 5;
const ONES = 0xffff_ffff_ffff_ffffn;
const isPointer = (value: bigint) => value >> 47n === 0x1ffffn;

/**
 * The changes to try on a word.
 *
 * @param few only those that make sense of a word of text or of a table
 * @param most how many: some always, the others by chance
 */
export function mutations(
  word: bigint,
  { before, after, code, pointers }: Surroundings,
  random: Random,
  few: boolean,
  most = Infinity,
): Mutation[] {
  const found = new Map<bigint, string>();
  const add = (how: string, value: bigint) => {
    const cut = BigInt.asUintN(64, value);
    if (cut !== word && !found.has(cut)) found.set(cut, how);
  };
  add("zero", 0n);
  add("ones", ONES);
  const bit = random.next(64);
  add(`bit ${bit} flipped`, word ^ (1n << BigInt(bit)));
  add("the next word's value", after);
  if (code !== undefined && isPointer(word)) add("the intruder's code", code);
  if (!few) {
    add("the word's value before", before);
    add("one more", word + 1n);
    add("one less", word - 1n);
    if (isPointer(word)) {
      for (let i = 0; i < 2 && pointers.length > 0; i++) {
        const near = pointers.filter((one) => one >> 32n === word >> 32n);
        const from = near.length > 1 ? near : pointers;
        add("another pointer", from[random.next(from.length)]);
      }
    }
    for (const [name, shift] of [["low", 0n], ["high", 32n]] as const) {
      const mask = 0xffff_ffffn << shift;
      const half = (word & mask) >> shift;
      const put = (value: bigint) =>
        (word & ~mask) | ((value & 0xffff_ffffn) << shift);
      add(`${name} half zero`, put(0n));
      add(`${name} half ones`, put(0xffff_ffffn));
      add(`${name} half one more`, put(half + 1n));
      add(`${name} half one less`, put(half - 1n));
      add(
        `${name} half bit flipped`,
        put(half ^ (1n << BigInt(random.next(8)))),
      );
      add(`${name} half one bit`, put(1n << BigInt(random.next(8))));
    }
    for (let byte = 0n; byte < 8n; byte++) {
      const mask = 0xffn << (8n * byte);
      if ((word & mask) !== 0n) add(`byte ${byte} zero`, word & ~mask);
    }
    const at = BigInt(8 * random.next(8));
    add("a byte changed", word ^ (BigInt(1 + random.next(255)) << at));
  }
  const all = [...found].map(([value, how]) => ({ how, value }));
  return [...all.slice(0, ALWAYS), ...random.shuffled(all.slice(ALWAYS))]
    .slice(0, most);
}
