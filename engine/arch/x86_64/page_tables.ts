/**
 * The page tables of x86-64: 4 or 5 levels, pages of 4 KiB, 2 MiB and 1 GiB
 * (Intel SDM vol. 3, 4.5 and 4.6).
 *
 * @module
 */
import { Budget } from "../../base/budget.ts";
import { type GvaRange, RangeList } from "../../memory/gva_ranges.ts";
import type {
  EachPage,
  HalfComparison,
  Mappings,
  OtherTables,
  PageTables,
  Translation,
} from "../../memory/page_tables.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { compareHalves } from "./compare_tables.ts";
import {
  addressOf,
  canonical,
  ENTRIES,
  LARGE,
  NX,
  PAGE,
  PRESENT,
  WRITABLE,
} from "./entries.ts";

// Number of translations cached. Only large pages are cached: they map the
// kernel image and the direct map, which do not move, while 4 KiB mappings
// (vmalloc) come and go.
const REMEMBERED = 4096;

/** One set of page tables over a guest's physical memory. */
export class X86PageTables implements PageTables {
  readonly memory: PhysicalMemory;
  readonly root: number;
  readonly levels: 4 | 5;
  readonly pageSize = PAGE;
  readonly #entry = new Uint8Array(8);
  readonly #entryWords = new Uint32Array(this.#entry.buffer);
  /** Cached large pages, by GVA in units of 2 MiB. */
  readonly #large = new Map<bigint, { gpa: number; size: number }>();

  /** @param root GPA of the top-level table (the address held in CR3) */
  constructor(memory: PhysicalMemory, root: number, levels: 4 | 5) {
    this.memory = memory;
    this.root = root;
    this.levels = levels;
  }

  tryTranslate(gva: bigint): Translation | undefined {
    const key = gva >> 21n;
    const known = this.#large.get(key);
    if (known !== undefined) {
      const offset = Number(gva & BigInt(known.size - 1));
      return {
        gpa: known.gpa + offset,
        left: known.size - offset,
        pageSize: known.size,
      };
    }
    const hi = Number((gva >> 32n) & 0xffffffffn);
    const lo = Number(gva & 0xffffffffn);
    let table = this.root;
    for (let level: number = this.levels; level >= 1; level--) {
      const shift = 12 + 9 * (level - 1);
      const index = shift >= 32
        ? (hi >>> (shift - 32)) & 511
        : ((hi << (32 - shift)) | (lo >>> shift)) & 511;
      this.memory.read(table + index * 8, this.#entry);
      const entryLo = this.#entryWords[0];
      const entryHi = this.#entryWords[1];
      if ((entryLo & PRESENT) === 0) return undefined;
      const next = addressOf(entryLo, entryHi);
      const leaf = level === 1 || (level <= 3 && (entryLo & LARGE) !== 0);
      if (!leaf) {
        table = next;
        continue;
      }
      const pageSize = 2 ** shift;
      // Bit 12 of a large entry is PAT, not address.
      const base = next - next % pageSize;
      const offset = Number(gva & BigInt(pageSize - 1));
      if (pageSize > PAGE && this.#large.size < REMEMBERED) {
        this.#large.set(key, { gpa: base, size: pageSize });
      }
      return { gpa: base + offset, left: pageSize - offset, pageSize };
    }
    return undefined;
  }

  ofProcess(root: number): X86PageTables {
    return new X86PageTables(this.memory, root, this.levels);
  }

  compareKernelHalf(other: OtherTables): HalfComparison {
    return compareHalves(this.memory, this.levels, this.root, other);
  }

  mappings(
    region: GvaRange,
    budget: Budget = new Budget(),
    each?: EachPage,
  ): Mappings {
    const walk = new Walk(this.memory, this.levels, region, budget, each);
    const top = walk.table(this.root);
    if (top === undefined) this.memory.read(this.root, new Uint8Array(PAGE));
    else walk.visit(top, this.levels, ENTRIES / 2, 0n, true);
    return {
      executable: walk.executable.ranges,
      inRegion: walk.inRegion.ranges,
      unread: walk.unread,
    };
  }
}

/** Visits all entries that lead to the requested mappings. */
class Walk {
  readonly executable = new RangeList();
  readonly inRegion = new RangeList();
  unread = 0;
  readonly #memory: PhysicalMemory;
  readonly #levels: 4 | 5;
  readonly #region: GvaRange;
  // Tables that map nothing of interest: KASAN shadow memory maps one table
  // many thousand times.
  readonly #barren = new Set<number>();
  // All others, a set for each level. The kernel maps no table twice that holds
  // something of interest; following it again would take 512 times as long for
  // each level, if a table leads to itself.
  readonly #seen = Array.from({ length: 6 }, () => new Set<number>());
  readonly #budget: Budget;
  readonly #each: EachPage | undefined;

  constructor(
    memory: PhysicalMemory,
    levels: 4 | 5,
    region: GvaRange,
    budget: Budget,
    each?: EachPage,
  ) {
    this.#memory = memory;
    this.#levels = levels;
    this.#region = region;
    this.#budget = budget;
    this.#each = each;
  }

  table(gpa: number): Uint32Array | undefined {
    const words = new Uint32Array(2 * ENTRIES);
    try {
      this.#memory.read(gpa, new Uint8Array(words.buffer));
      return words;
    } catch {
      return undefined;
    }
  }

  visit(
    words: Uint32Array,
    level: number,
    from: number,
    base: bigint,
    writable: boolean,
  ): void {
    const shift = BigInt(12 + 9 * (level - 1));
    for (let i = from; i < ENTRIES; i++) {
      const lo = words[2 * i];
      const hi = words[2 * i + 1];
      if ((lo & PRESENT) === 0) continue;
      const start = canonical(base + (BigInt(i) << shift), this.#levels);
      const end = start + (1n << shift);
      const inRegion = end > this.#region.start && start < this.#region.end;
      const executable = (hi & NX) === 0;
      if (!executable && !inRegion) continue;
      const mayWrite = writable && (lo & WRITABLE) !== 0;
      if (level === 1 || (level <= 3 && (lo & LARGE) !== 0)) {
        this.#budget.node("page tables");
        if (executable) this.executable.add(start, end, mayWrite);
        if (inRegion) {
          this.inRegion.add(start, end, mayWrite);
          const size = 2 ** Number(shift);
          const gpa = addressOf(lo, hi);
          // Bit 12 of a large entry is PAT, not address.
          this.#each?.(start, gpa - gpa % size, size);
        }
        continue;
      }
      const gpa = addressOf(lo, hi);
      if (this.#barren.has(gpa)) continue;
      this.#budget.node("page tables");
      const seen = this.#seen[level - 1];
      const next = seen.has(gpa) ? undefined : this.table(gpa);
      if (next === undefined) {
        this.unread++;
        continue;
      }
      const before = this.executable.count + this.inRegion.count;
      this.visit(next, level - 1, 0, start, mayWrite);
      if (this.executable.count + this.inRegion.count === before) {
        this.#barren.add(gpa);
      } else seen.add(gpa);
    }
  }
}
