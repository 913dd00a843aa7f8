/**
 * Searches all of a guest's memory for words that lead into given ranges.
 *
 * @module
 */
import type { Budget } from "../base/budget.ts";
import { MemoryError } from "../base/errors.ts";
import { totalBytes } from "./elf_core_ranges.ts";
import { type GvaRange, rangeAt } from "./gva_ranges.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** A word of memory. */
export interface WordHit {
  /** GPA of the word; a multiple of 8. */
  readonly gpa: number;
  /** What it holds: a GVA in one of the ranges. */
  readonly value: bigint;
}

/** What a search has found. */
export interface WordScan {
  /** In the order of their GPAs. */
  readonly hits: readonly WordHit[];
  /** Whether there were more than were asked for. */
  readonly more: boolean;
  /** How many bytes were read. */
  readonly bytes: number;
  /** How many bytes could not be read, or are not in this recording. */
  readonly unread: number;
}

/** How much is looked at at once, in bytes. */
const CHUNK = 1 << 20;

/** The part of the ranges that shares the upper half of its GVAs. */
interface Window {
  readonly high: number;
  low: number;
  last: number;
}

/**
 * Searches the parts of memory that hold data, each byte once.
 *
 * @param within ascending; words that lead into one of these are found
 * @param limit how many are kept
 * @param budget spends the bytes that are read
 * @throws {BudgetError} when the budget is used up.
 */
export function scanWords(
  memory: PhysicalMemory,
  within: readonly GvaRange[],
  limit: number,
  budget: Budget,
): WordScan {
  const windows = windowsOf(within);
  const hits: WordHit[] = [];
  let more = false;
  let bytes = 0;
  // What was left out of a dump may hold such words as well.
  let unread = memory.ram === undefined
    ? 0
    : totalBytes(memory.ram) - totalBytes(memory.ranges);
  if (windows.length === 0) return { hits, more, bytes, unread };
  const copy = new Uint8Array(CHUNK);
  const each = (gpa: number, low: number, high: number) => {
    const value = BigInt(high) << 32n | BigInt(low);
    if (rangeAt(within, value) < 0) return;
    if (hits.length < limit) hits.push({ gpa, value });
    else more = true;
  };
  for (const { start, end } of memory.dataRanges()) {
    for (let at = start - start % 8; at < end; at += CHUNK) {
      const length = Math.min(CHUNK, end - at) & ~7;
      budget.read(BigInt(at), length);
      let part = memory.view(at, length);
      if (part === undefined || part.byteOffset % 4 !== 0) {
        part = copy.subarray(0, length);
        try {
          memory.read(at, part);
        } catch (error) {
          if (!(error instanceof MemoryError)) throw error;
          unread += length;
          continue;
        }
      }
      bytes += length;
      const words = new Uint32Array(part.buffer, part.byteOffset, length / 4);
      for (const window of windows) scan(words, at, window, each);
    }
  }
  return { hits, more, bytes, unread };
}

function scan(
  words: Uint32Array,
  gpa: number,
  { high, low, last }: Window,
  each: (gpa: number, low: number, high: number) => void,
): void {
  for (let i = 1; i < words.length; i += 2) {
    if (words[i] !== high) continue;
    const word = words[i - 1];
    if (word >= low && word <= last) each(gpa + 4 * (i - 1), word, high);
  }
}

function windowsOf(within: readonly GvaRange[]): Window[] {
  const windows = new Map<number, Window>();
  for (const { start, end } of within) {
    if (end <= start) continue;
    const last = end - 1n;
    for (let high = start >> 32n; high <= last >> 32n; high++) {
      const low = high === start >> 32n ? Number(start & 0xffffffffn) : 0;
      const to = high === last >> 32n ? Number(last & 0xffffffffn) : 0xffffffff;
      const key = Number(high);
      const window = windows.get(key);
      if (window === undefined) {
        windows.set(key, { high: key, low, last: to });
      } else {
        window.low = Math.min(window.low, low);
        window.last = Math.max(window.last, to);
      }
    }
  }
  return [...windows.values()];
}
