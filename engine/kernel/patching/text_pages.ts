/**
 * Which parts of the kernel's half of the address space can be executed, by
 * the page tables themselves (Intel SDM vol. 3, 4.6): what code there is, no
 * matter what the kernel's lists say.
 *
 * @module
 */
import type { AddressSpace } from "../../memory/address_space.ts";

/** A half-open range of GVAs mapped alike. */
export interface MappedRange {
  readonly start: bigint;
  readonly end: bigint;
  /** Whether all levels allow writing. */
  readonly writable: boolean;
}

/** What the page tables map. */
export interface TextPages {
  /** Executable ranges of the kernel's half, ascending. */
  readonly executable: readonly MappedRange[];
  /** All that is mapped in the modules' region, ascending. */
  readonly modules: readonly MappedRange[];
  /** GVAs of table pages that could not be read. */
  readonly unread: number;
}

/** MODULES_VADDR .. MODULES_END (arch/x86/include/asm/pgtable_64_types.h). */
export const MODULES_START = 0xffffffffc0000000n;
/** See {@linkcode MODULES_START}. */
export const MODULES_END = 0xffffffffff000000n;

const PRESENT = 1;
const WRITABLE = 2;
const HUGE = 0x80;
const NX = 0x80000000;
const KIB4 = 4096n;

/**
 * Walks the page tables of the kernel's half once: some 10 ms for a small
 * guest, as most of it is mapped by large or non-executable entries.
 *
 * @throws {MemoryError} when the top-level table cannot be read.
 */
export function readTextPages(space: AddressSpace): TextPages {
  const walk = new Walk(space);
  const top = walk.table(space.cr3);
  if (top === undefined) space.memory.read(space.cr3, new Uint8Array(4096));
  else walk.visit(top, space.levels, 256, 0n, true);
  return {
    executable: walk.executable.ranges,
    modules: walk.modules.ranges,
    unread: walk.unread,
  };
}

class Walk {
  readonly executable = new Ranges();
  readonly modules = new Ranges();
  unread = 0;
  readonly #space: AddressSpace;
  // Shadow memory maps one table many thousand times.
  readonly #barren = new Set<number>();

  constructor(space: AddressSpace) {
    this.#space = space;
  }

  table(gpa: number): Uint32Array | undefined {
    const words = new Uint32Array(1024);
    try {
      this.#space.memory.read(gpa, new Uint8Array(words.buffer));
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
    for (let i = from; i < 512; i++) {
      const lo = words[2 * i];
      const hi = words[2 * i + 1];
      if ((lo & PRESENT) === 0) continue;
      const start = canonical(base + (BigInt(i) << shift), this.#space.levels);
      const end = start + (1n << shift);
      const inModules = end > MODULES_START && start < MODULES_END;
      const executable = (hi & NX) === 0;
      if (!executable && !inModules) continue;
      const mayWrite = writable && (lo & WRITABLE) !== 0;
      if (level === 1 || (level <= 3 && (lo & HUGE) !== 0)) {
        if (executable) this.executable.add(start, end, mayWrite);
        if (inModules) this.modules.add(start, end, mayWrite);
        continue;
      }
      const gpa = (hi & 0xfffff) * 0x1_0000_0000 + ((lo & 0xfffff000) >>> 0);
      if (this.#barren.has(gpa)) continue;
      const next = this.table(gpa);
      if (next === undefined) {
        this.unread++;
        continue;
      }
      const before = this.executable.count + this.modules.count;
      this.visit(next, level - 1, 0, start, mayWrite);
      if (this.executable.count + this.modules.count === before) {
        this.#barren.add(gpa);
      }
    }
  }
}

/** Bit 47 (or 56) of the address is copied into the bits above it. */
function canonical(gva: bigint, levels: number): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(levels === 5 ? 57 : 48, gva));
}

class Ranges {
  readonly ranges: MappedRange[] = [];
  count = 0;

  add(start: bigint, end: bigint, writable: boolean): void {
    this.count++;
    const last = this.ranges.at(-1);
    if (
      last !== undefined && last.end === start && last.writable === writable
    ) {
      this.ranges[this.ranges.length - 1] = { ...last, end };
    } else {
      this.ranges.push({ start, end, writable });
    }
  }
}

/**
 * Index of the range that covers a GVA in an ascending list, -1 for none.
 */
export function rangeAt(
  ranges: readonly { readonly start: bigint; readonly end: bigint }[],
  gva: bigint,
): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle].start <= gva) low = middle + 1;
    else high = middle;
  }
  return low > 0 && gva < ranges[low - 1].end ? low - 1 : -1;
}

/** Pages a range spans. */
export function pagesOf(range: { start: bigint; end: bigint }): number {
  return Number((range.end - range.start) / KIB4);
}
