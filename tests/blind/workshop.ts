/**
 * Where an intruder's hooks are made: words of a recorded guest are written,
 * and kept, so that it is known which words are the hook itself.
 *
 * @module
 */
import { Kernel } from "../../engine/kernel/core/kernel.ts";
import {
  listedModules,
  readModule,
} from "../../engine/kernel/objects/module_views.ts";
import { LiveSymbols } from "../../engine/kernel/symbols/live_symbols.ts";
import { SymbolTable } from "../../engine/kernel/symbols/symbol_table.ts";
import type { Translation } from "../../engine/memory/page_tables.ts";
import { AddressSpace } from "../../engine/memory/address_space.ts";
import { SearchedMemory, WORD } from "./searched_memory.ts";

const PAGE = 4096;
/** Bits of a page-table entry of x86-64. */
const LARGE = 1n << 7n;
const ADDRESS = 0x000f_ffff_ffff_f000n;

/** Has its memory know when page tables are being read. */
class PagedSpace extends AddressSpace {
  override tryTranslate(gva: bigint): Translation | undefined {
    const { memory } = this;
    if (!(memory instanceof SearchedMemory)) return super.tryTranslate(gva);
    return memory.paging(() => super.tryTranslate(gva));
  }
}

/**
 * A kernel that was located before, over memory that may have changed since:
 * nothing of it is remembered but its symbols, types and the place of its page
 * tables.
 */
export function again(kernel: Kernel): Kernel {
  const { symbols } = kernel;
  if (!(symbols instanceof SymbolTable)) throw new TypeError("not a table");
  const space = new PagedSpace(
    kernel.space.tables.ofProcess(kernel.space.tables.root),
  );
  const live = new LiveSymbols(
    symbols,
    (gva, into) => space.read(gva, into),
    kernel.types,
  );
  live.refresh();
  return new Kernel(
    kernel.arch,
    space,
    symbols,
    kernel.types,
    live,
    kernel.facts,
    kernel.origin,
  );
}

/** This kernel has nothing that can be hooked in that way. */
export class NotHere extends Error {}

/** A guest that is being hooked. */
export class Workshop {
  readonly kernel: Kernel;
  readonly memory: SearchedMemory;
  /** What the words that were written held before, by GPA. */
  readonly clean = new Map<number, bigint>();
  /** GPAs of the words without which there is no hook. */
  readonly itself = new Set<number>();
  /** GVA at which some module's text begins. */
  readonly moduleText: bigint;
  readonly #directMap: bigint;
  #spares: number[];
  #code: bigint | undefined;

  constructor(kernel: Kernel, memory: SearchedMemory) {
    this.kernel = kernel;
    this.memory = memory;
    const { arch, space, symbols } = kernel;
    const direct = arch.image.directMap(symbols, (gva) => space.u64(gva));
    if (direct === undefined) throw new Error("there is no direct map");
    this.#directMap = direct;
    this.moduleText = listedModules(kernel)
      .flatMap((gva) => readModule(kernel, gva).text)[0].start;
    this.#spares = this.#sparePages();
  }

  /** GVA of a page that nobody uses. */
  spare(): bigint {
    return this.#directMap + BigInt(this.#sparePage());
  }

  #sparePage(): number {
    const gpa = this.#spares.pop();
    if (gpa === undefined) throw new Error("no page is free");
    return gpa;
  }

  /**
   * Leads a set of page tables to another page, as an intruder does who shows
   * some processes another kernel: the tables above it are copied.
   *
   * @param root GPA of the topmost table
   */
  diverge(root: number, gva: bigint): void {
    const own = this.kernel.space.tables.ofProcess(root);
    const entries = entriesOf(this.kernel, gva, own);
    // A large page ends above the lowest level.
    const large = entries.length < levelsOf(own);
    let at = entries[0];
    for (const next of entries.slice(1)) {
      const value = this.memory.peek(at);
      const table = this.#sparePage();
      this.#copyPage(Number(value & ADDRESS), table);
      this.poke(at, value & ~ADDRESS | BigInt(table), true);
      at = table + next % PAGE;
    }
    const value = this.memory.peek(at);
    const page = large
      ? value + (2n << 20n)
      : value & ~ADDRESS | BigInt(this.#sparePage());
    this.poke(at, page, true);
  }

  #copyPage(from: number, to: number): void {
    for (let at = 0; at < PAGE; at += WORD) {
      const word = this.memory.peek(from + at);
      if (word !== 0n) this.poke(to + at, word, true);
    }
  }

  /** GPAs of some pages that hold zeros alone, high in memory. */
  #sparePages(): number[] {
    const found: number[] = [];
    const page = new Uint8Array(PAGE);
    for (const { start, end } of [...this.memory.ranges].reverse()) {
      for (let gpa = end - PAGE; gpa >= start; gpa -= PAGE) {
        if (found.length === 16) return found;
        const gva = this.#directMap + BigInt(gpa);
        if (this.kernel.space.tryTranslate(gva)?.gpa !== gpa) continue;
        this.memory.read(gpa, page);
        if (page.every((byte) => byte === 0)) found.push(gpa);
      }
    }
    return found;
  }

  /**
   * GVA of the intruder's code: a page in the modules' region that belongs to
   * nobody.
   */
  code(): bigint {
    return this.#code ??= this.#mapCode();
  }

  /** GVA of the intruder's code, if the hook has some. */
  get ownCode(): bigint | undefined {
    return this.#code;
  }

  /** Like {@linkcode code}, right before some module's text. */
  codeBeforeModule(): bigint {
    return this.#code ??= this.#mapCode(this.moduleText - BigInt(PAGE));
  }

  /** @param at GVA of its page; default: a free one */
  #mapCode(at?: bigint): bigint {
    const { kernel, memory } = this;
    const text = this.moduleText;
    const own = entriesOf(kernel, text).at(-1) ?? 0;
    const table = own - own % PAGE;
    const first = at === undefined ? 511 : Number((at >> 12n) & 511n);
    const last = at === undefined ? 0 : first;
    for (let i = first; i >= last; i--) {
      if (memory.peek(table + 8 * i) !== 0n) continue;
      const gpa = this.#sparePage();
      const entry = memory.peek(own) & ~ADDRESS | BigInt(gpa);
      this.poke(table + 8 * i, entry, true);
      const code = new Uint8Array(PAGE).fill(0x90);
      // endbr64; mov $1, %eax; ret
      code.set([0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 1, 0, 0, 0, 0xc3]);
      memory.put(gpa, code);
      const gva = (text & ~0x1f_ffffn) + BigInt(i * PAGE);
      for (const gpa of entriesOf(kernel, gva)) this.itself.add(gpa);
      return gva;
    }
    throw new NotHere(
      at === undefined
        ? "the modules' region is full"
        : "no page is free there",
    );
  }

  /** Writes a word. @param itself whether there is no hook without it */
  poke(gpa: number, value: bigint, itself = false): void {
    if (!this.clean.has(gpa)) this.clean.set(gpa, this.memory.peek(gpa));
    if (itself) this.itself.add(gpa);
    this.memory.poke(gpa, value);
  }

  /**
   * Writes bytes at a GVA, as parts of words. A hook's own words are also those
   * that map them: who maps other memory there takes the hook away.
   */
  bytes(gva: bigint, bytes: Uint8Array, itself = false): void {
    if (itself) {
      for (const gpa of entriesOf(this.kernel, gva)) this.itself.add(gpa);
    }
    for (let i = 0; i < bytes.length; i++) {
      const { gpa } = this.kernel.space.translate(gva + BigInt(i));
      const shift = BigInt(8 * (gpa % WORD));
      const word = gpa - gpa % WORD;
      const before = this.memory.peek(word);
      this.poke(
        word,
        before & ~(0xffn << shift) | BigInt(bytes[i]) << shift,
        itself,
      );
    }
  }

  u64(gva: bigint, value: bigint, itself = false): void {
    this.bytes(gva, little(value, 8), itself);
  }
  u32(gva: bigint, value: number, itself = false): void {
    this.bytes(gva, little(BigInt(value), 4), itself);
  }

  /** GVA of a member. */
  at(struct: string, gva: bigint, path: string): bigint {
    return gva + BigInt(this.kernel.types.offset(struct, path));
  }

  /** Has a near branch lead elsewhere. @param at GVA of its 32-bit distance */
  branch(at: bigint, target: bigint): void {
    this.u32(at, Number(BigInt.asUintN(32, target - at - 4n)), true);
  }

  /** Copies an object of a struct into a page of its own. */
  copy(struct: string, gva: bigint): bigint {
    const copy = this.spare();
    const { size } = this.kernel.types.struct(struct);
    this.bytes(copy, this.kernel.space.bytes(gva, size));
    return copy;
  }

  /** Takes all of it back. */
  undo(): void {
    for (const [gpa, word] of this.clean) this.memory.poke(gpa, word);
    this.clean.clear();
    this.itself.clear();
    this.#code = undefined;
    this.#spares = this.#sparePages();
  }
}

function little(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes.subarray(0, size);
}

/** GPAs of the page-table entries that map a GVA, the topmost first. */
function entriesOf(
  { space }: Kernel,
  gva: bigint,
  tables: { readonly root: number } = space.tables,
): number[] {
  const word = new DataView(new ArrayBuffer(8));
  const found: number[] = [];
  let table = tables.root;
  for (let level = levelsOf(space.tables); level >= 1; level--) {
    const index = Number((gva >> BigInt(12 + 9 * (level - 1))) & 511n);
    found.push(table + 8 * index);
    space.memory.read(table + 8 * index, new Uint8Array(word.buffer));
    const entry = word.getBigUint64(0, true);
    if ((entry & LARGE) !== 0n && level <= 3) break;
    table = Number(entry & ADDRESS);
  }
  return found;
}

function levelsOf(tables: object): number {
  const levels = "levels" in tables ? tables.levels : undefined;
  if (typeof levels !== "number") throw new TypeError("no page tables");
  return levels;
}
