/**
 * The words that a check reads of a hooked guest, in the order in which they
 * are to be tried.
 *
 * @module
 */
import { Budget } from "../../engine/base/budget.ts";
import { scanWords } from "../../engine/memory/word_scan.ts";
import { findVmcoreinfo } from "../../engine/kernel/locate/vmcoreinfo.ts";
import type { Random } from "../random.ts";
import { type SearchedMemory, WORD, WordsRead } from "./searched_memory.ts";

/** Reads of fewer bytes are of structs, longer ones of text and tables. */
const ROW_BYTES = 512;

/** GPAs of words. */
export interface WordsOfHook {
  /** Read one by one. */
  readonly alone: readonly number[];
  /** Read along with others: those of structs first. */
  readonly bulk: readonly number[];
  /** How many more are read after the hook was found. */
  readonly after: number;
}

/**
 * The words to try, shuffled.
 *
 * @param seen what was read until the hook was found
 * @param all what was read in all
 * @param own whether a word is to be tried
 */
export function wordsOf(
  seen: WordsRead,
  all: WordsRead,
  own: (gpa: number) => boolean,
  random: Random,
): WordsOfHook {
  const rows = seen.bulk(0, ROW_BYTES);
  const tables = seen.bulk(ROW_BYTES, Infinity);
  const alone = random.shuffled([...seen.alone].filter(own));
  const bulk = [
    ...random.shuffled([...rows].filter(own)),
    ...random.shuffled(
      [...tables].filter((gpa) => !rows.has(gpa) && own(gpa)),
    ),
  ];
  let after = 0;
  const counted = new Set<number>();
  for (const some of [all.alone, all.bulk(0, Infinity)]) {
    for (const gpa of some) {
      if (counted.has(gpa) || seen.alone.has(gpa)) continue;
      if (rows.has(gpa) || tables.has(gpa) || !own(gpa)) continue;
      counted.add(gpa);
      after++;
    }
  }
  return { alone, bulk, after };
}

/**
 * Leaves out the words at the starts of pages that are read only to find the
 * note: nothing is believed of them, except of a note.
 */
export function leaveOutScan(memory: SearchedMemory, seen: WordsRead): void {
  const scan = new WordsRead();
  memory.watch(scan);
  const notes = findVmcoreinfo(memory);
  memory.watch(undefined);
  for (const gpa of scan.alone) seen.alone.delete(gpa);
  seen.leaveOut(scan);
  for (const { gpa, text } of notes) {
    if (gpa < 0) continue;
    for (let at = 0; at < text.length; at += WORD) seen.alone.add(gpa + at);
  }
}

/**
 * Leaves out the reads of a sweep through all of memory: a word that it reads is
 * compared with addresses, and those that lead there are the hook itself, or are
 * read once more to tell what holds them.
 */
export function leaveOutSweep(memory: SearchedMemory, seen: WordsRead): void {
  const sweep = new WordsRead();
  memory.watch(sweep);
  // Where no word leads: on a page of user space that is never mapped.
  scanWords(memory, [{ start: 0n, end: 1n }], 0, new Budget());
  memory.watch(undefined);
  seen.leaveOut(sweep);
}
