/**
 * Damaged memory, with pages that are missing, zero, or random, for tests of
 * code that reads recordings.
 *
 * @module
 */
import { MemoryError } from "../../engine/base/errors.ts";
import { X86PageTables } from "../../engine/arch/x86_64/page_tables.ts";
import { AddressSpace } from "../../engine/memory/address_space.ts";
import type {
  GpaRange,
  PhysicalMemory,
} from "../../engine/memory/physical_memory.ts";
import { Kernel } from "../../engine/kernel/core/kernel.ts";
import { LiveSymbols } from "../../engine/kernel/symbols/live_symbols.ts";
import { SymbolTable } from "../../engine/kernel/symbols/symbol_table.ts";

const PAGE = 4096;

/** A word that holds something else: where in its page, in bytes. */
export interface DamagedWord {
  readonly at: number;
  readonly value: bigint;
}

/** How a page is damaged. */
export type Damage = "missing" | "zero" | "garbled" | DamagedWord;

/** A read-only view of another memory, with some damaged pages. */
export class DamagedMemory implements PhysicalMemory {
  readonly name = "a damaged recording";
  readonly writable = false;
  readonly live = false;
  readonly #inner: PhysicalMemory;
  readonly #damage: ReadonlyMap<number, Damage>;

  /**
   * @param inner stays open when this is disposed
   * @param damage by the page's GPA
   */
  constructor(inner: PhysicalMemory, damage: ReadonlyMap<number, Damage>) {
    this.#inner = inner;
    this.#damage = damage;
  }

  get ranges(): readonly GpaRange[] {
    return this.#inner.ranges;
  }
  makeWritable(): never {
    throw new MemoryError(this.name, 0, "it is damaged, and only read");
  }
  dataRanges(): GpaRange[] {
    return this.#inner.dataRanges();
  }

  read(gpa: number, into: Uint8Array): void {
    this.#inner.read(gpa, into);
    const first = Math.floor(gpa / PAGE) * PAGE;
    for (let page = first; page < gpa + into.length; page += PAGE) {
      const damage = this.#damage.get(page);
      if (damage === undefined) continue;
      if (damage === "missing") {
        throw new MemoryError(this.name, page, "the page is not recorded");
      }
      const part = into.subarray(
        Math.max(0, page - gpa),
        Math.max(0, page + PAGE - gpa),
      );
      if (typeof damage === "object") {
        const word = new DataView(new ArrayBuffer(8));
        word.setBigUint64(0, damage.value, true);
        for (let i = 0; i < 8; i++) {
          const byte = page + damage.at + i - gpa;
          if (byte >= 0 && byte < into.length) into[byte] = word.getUint8(i);
        }
      } else if (damage === "zero") part.fill(0);
      else for (let i = 0; i < part.length; i++) part[i] ^= 0x5a + i * 7;
    }
  }

  view(): undefined {
    return undefined;
  }
  search(needle: Uint8Array, limit?: number): number[] {
    return this.#inner.search(needle, limit);
  }
  write(gpa: number): void {
    throw new MemoryError(this.name, gpa, "a recording cannot be written");
  }
  compareExchange(gpa: number): bigint {
    throw new MemoryError(this.name, gpa, "a recording cannot be written");
  }
  [Symbol.dispose](): void {}
}

/** A kernel that was described from undamaged memory, with damaged memory. */
export function damagedKernel(
  kernel: Kernel,
  damage: ReadonlyMap<number, Damage>,
): Kernel {
  const { tables } = kernel.space;
  if (!(tables instanceof X86PageTables)) throw new Error("other tables");
  const space = new AddressSpace(
    new X86PageTables(
      new DamagedMemory(kernel.memory, damage),
      tables.root,
      tables.levels,
    ),
  );
  const { symbols } = kernel;
  if (!(symbols instanceof SymbolTable)) throw new Error("another table");
  const live = new LiveSymbols(
    symbols,
    (gva, into) => space.read(gva, into),
    kernel.types,
  );
  return new Kernel(
    kernel.arch,
    space,
    symbols,
    kernel.types,
    live,
    kernel.facts,
  );
}
