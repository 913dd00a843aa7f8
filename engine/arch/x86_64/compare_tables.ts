/**
 * Compares the kernel's half of two sets of page tables. Every process has
 * tables of its own, but their upper halves lead to the same tables of the next
 * level, so that comparing the 256 top entries is nearly always enough.
 *
 * Sources: arch/x86/mm/pgtable.c (pgd_ctor), arch/x86/mm/pti.c,
 * arch/x86/include/asm/pgtable_64_types.h (LDT_PGD_ENTRY).
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type {
  HalfComparison,
  OtherTables,
  PageDifference,
} from "../../memory/page_tables.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import {
  addressOf,
  canonical,
  ENTRIES,
  LARGE,
  NX,
  PAGE,
  PRESENT,
} from "./entries.ts";

/** The most tables that are read for one comparison, 64 MiB of them. */
const MOST_TABLES = 16384;
/** The most differences that are listed. */
const MOST_LISTED = 8;

/** A table, or a large page seen as a table whose pages follow each other. */
type Node =
  | { readonly words: Uint32Array }
  | { readonly page: number; readonly executable: boolean };

/** What an entry leads to. */
type Entry =
  | { readonly table: number; readonly executable: boolean }
  | { readonly page: number; readonly executable: boolean };

class TablesTooLarge extends Error {}

/**
 * Compares the kernel's half.
 *
 * @param own GPA of the top-level table that is taken for right
 */
export function compareHalves(
  memory: PhysicalMemory,
  levels: 4 | 5,
  own: number,
  other: OtherTables,
): HalfComparison {
  const comparison = new Comparison(memory, levels);
  let whole = true;
  try {
    const theirs = other.top ?? comparison.read(other.root);
    // Read last, since entries of the kernel's half are only ever added.
    const ours = comparison.read(own);
    comparison.compare(
      { words: words(ours) },
      { words: words(theirs) },
      levels,
      ENTRIES / 2,
      0n,
      { own: true, other: true },
    );
  } catch (error) {
    if (!(error instanceof MemoryError || error instanceof TablesTooLarge)) {
      throw error;
    }
    whole = false;
  }
  const { elsewhere, missing, extra } = comparison;
  return { elsewhere, missing, extra, whole };
}

function words(bytes: Uint8Array): Uint32Array {
  return bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Uint32Array(bytes.slice().buffer);
}

class Comparison {
  readonly elsewhere: PageDifference[] = [];
  readonly missing: GvaRange[] = [];
  readonly extra: GvaRange[] = [];
  readonly #memory: PhysicalMemory;
  readonly #levels: 4 | 5;
  #tables = 0;

  constructor(memory: PhysicalMemory, levels: 4 | 5) {
    this.#memory = memory;
    this.#levels = levels;
  }

  read(gpa: number): Uint8Array {
    if (++this.#tables > MOST_TABLES) throw new TablesTooLarge();
    const bytes = new Uint8Array(PAGE);
    this.#memory.read(gpa, bytes);
    return bytes;
  }

  /** @param may whether all entries on the way let code be executed */
  compare(
    own: Node,
    other: Node,
    level: number,
    from: number,
    base: bigint,
    may: { readonly own: boolean; readonly other: boolean },
  ): void {
    const shift = 12 + 9 * (level - 1);
    for (let i = from; i < ENTRIES; i++) {
      if (this.elsewhere.length >= MOST_LISTED) return;
      const [a, b] = [
        entryOf(own, i, level, shift),
        entryOf(other, i, level, shift),
      ];
      if (a === undefined && b === undefined) continue;
      const start = canonical(
        base + (BigInt(i) << BigInt(shift)),
        this.#levels,
      );
      const range = { start, end: start + (1n << BigInt(shift)) };
      if (a === undefined) {
        if (!isLdt(start, this.#levels)) list(this.extra, range);
      } else if (b === undefined) list(this.missing, range);
      else {
        this.#entries(a, b, level, start, {
          own: may.own && a.executable,
          other: may.other && b.executable,
        });
      }
    }
  }

  #entries(
    a: Entry,
    b: Entry,
    level: number,
    start: bigint,
    may: { readonly own: boolean; readonly other: boolean },
  ): void {
    const same = "table" in a
      ? "table" in b && a.table === b.table
      : "page" in b && a.page === b.page;
    if (same && may.own === may.other) return;
    if ("page" in a && "page" in b) {
      // Less may be executed there: no harm.
      if (same && !may.other) return;
      this.elsewhere.push({
        gva: start,
        own: a.page,
        other: b.page,
        executable: may.other,
      });
      return;
    }
    if (same && !may.other) return;
    this.compare(
      this.#node(a),
      this.#node(b),
      level - 1,
      0,
      start,
      may,
    );
  }

  #node(entry: Entry): Node {
    return "table" in entry ? { words: words(this.read(entry.table)) } : entry;
  }
}

function entryOf(
  node: Node,
  index: number,
  level: number,
  shift: number,
): Entry | undefined {
  if (!("words" in node)) {
    return {
      page: node.page + index * 2 ** shift,
      executable: node.executable,
    };
  }
  const lo = node.words[2 * index];
  const hi = node.words[2 * index + 1];
  if ((lo & PRESENT) === 0) return undefined;
  const executable = (hi & NX) === 0;
  const address = addressOf(lo, hi);
  if (level === 1 || (level <= 3 && (lo & LARGE) !== 0)) {
    // Bit 12 of a large entry is PAT, not address.
    return { page: address - address % 2 ** shift, executable };
  }
  return { table: address, executable };
}

/** Adds a range, joined with the last one where they touch. */
function list(ranges: GvaRange[], range: GvaRange): void {
  const last = ranges.at(-1);
  if (last !== undefined && last.end === range.start) {
    ranges[ranges.length - 1] = { start: last.start, end: range.end };
  } else if (ranges.length < MOST_LISTED) ranges.push(range);
}

/**
 * Whether a GVA lies where page-table isolation maps a process's own LDT: the
 * one part of the kernel's half that is not shared.
 */
function isLdt(gva: bigint, levels: 4 | 5): boolean {
  const shift = BigInt(12 + 9 * (levels - 1));
  const slot = levels === 5 ? -112n : -240n;
  return gva >> shift === BigInt.asUintN(64, slot << shift) >> shift;
}
