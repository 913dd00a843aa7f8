/**
 * The symbol table of one module: ELF symbols that the kernel keeps in the
 * module's memory.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import {
  type ReadGva,
  readUpTo,
  terminated,
} from "../../memory/guest_reader.ts";
import { nameAt, type NameTable, nameTable } from "./symbol_blob.ts";
import type { SymbolRegion } from "./symbol_table.ts";
import type { SymbolAt } from "./symbols.ts";

/** A half-open range of GVAs. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Where a module's symbols and memory are. */
export interface ModuleTables {
  readonly module: string;
  /** GVA of `count` Elf64_Sym. */
  readonly symtab: bigint;
  readonly count: number;
  /** GVA of the string table. */
  readonly strtab: bigint;
  /** GVA of `count` type letters, in kernels that keep them. */
  readonly typetab: bigint | undefined;
  /** Memory that stays allocated. */
  readonly core: readonly AddressRange[];
  /** Memory that is freed once the module has been initialised. */
  readonly init: readonly AddressRange[];
  readonly coreText: AddressRange | undefined;
  readonly initText: AddressRange | undefined;
}

/** Elf64_Sym is 24 bytes: name, info, other, shndx, value, size. */
const SYM_BYTES = 24;
const SHN_UNDEF = 0;
/** More symbols than any module has; amdgpu has some 50,000. */
const MAX_SYMBOLS = 1 << 18;
const MAX_STRINGS = 64 << 20;
/** KSYM_NAME_LEN: longer names are cut. */
const NAME_BYTES = 511;
/** Letter for a symbol of unknown type. */
const UNKNOWN = 0x3f;

/**
 * A module's symbols; lookups give the same answers as find_kallsyms_symbol.
 */
export class ModuleSymbols implements SymbolRegion {
  readonly module: string;
  readonly table: NameTable;
  readonly addresses: BigUint64Array;
  readonly #tables: ModuleTables;
  /** Indices of the symbols that a lookup may return, by ascending address. */
  readonly #order: Uint32Array;

  private constructor(
    tables: ModuleTables,
    table: NameTable,
    addresses: BigUint64Array,
  ) {
    this.module = tables.module;
    this.#tables = tables;
    this.table = table;
    this.addresses = addresses;
    const candidates: number[] = [];
    for (let i = 0; i < table.count; i++) {
      if (addresses[i] > 0n && !isMappingSymbol(nameAt(table, i))) {
        candidates.push(i);
      }
    }
    candidates.sort((a, b) =>
      addresses[a] < addresses[b] ? -1 : addresses[a] > addresses[b] ? 1 : a - b
    );
    this.#order = Uint32Array.from(candidates);
  }

  /**
   * Reads a module's symbols in table order, except unnamed and undefined ones.
   *
   * @throws {MemoryError} when the tables are not mapped, or no longer mapped.
   * @throws {KernelError} when they cannot be symbol tables.
   */
  static read(read: ReadGva, tables: ModuleTables): ModuleSymbols {
    const { count, module } = tables;
    const symtab = allocateBytes(
      count * SYM_BYTES,
      MAX_SYMBOLS * SYM_BYTES,
      tables.symtab,
      {
        error: () =>
          new KernelError(`module ${module} claims to have ${count} symbols`),
      },
    );
    read(tables.symtab, symtab);
    const view = new DataView(symtab.buffer);
    let longest = 0;
    for (let i = 0; i < count; i++) {
      longest = Math.max(longest, view.getUint32(i * SYM_BYTES, true));
    }
    if (longest > MAX_STRINGS) {
      throw new KernelError(`module ${module}'s symbol table is damaged`);
    }
    const strings = readUpTo(read, tables.strtab, longest + NAME_BYTES + 1);
    const letters = allocateBytes(count, MAX_SYMBOLS, tables.symtab)
      .fill(UNKNOWN);
    if (tables.typetab !== undefined) read(tables.typetab, letters);

    const names: Uint8Array[] = [];
    const types: number[] = [];
    const addresses: bigint[] = [];
    for (let i = 0; i < count; i++) {
      const at = i * SYM_BYTES;
      if (view.getUint16(at + 6, true) === SHN_UNDEF) continue;
      const start = view.getUint32(at, true);
      const name = terminated(
        strings,
        start,
        Math.min(start + NAME_BYTES, strings.length),
      );
      if (name.length === 0) continue;
      names.push(name);
      types.push(letters[i]);
      addresses.push(view.getBigUint64(at + 8, true));
    }
    return new ModuleSymbols(
      tables,
      nameTable(names, Uint8Array.from(types)),
      BigUint64Array.from(addresses),
    );
  }

  lookup(gva: bigint): SymbolAt | undefined {
    const { core, init, coreText, initText } = this.#tables;
    const inInit = covers(init, gva);
    if (!inInit && !covers(core, gva)) return undefined;
    const order = this.#order;
    const addresses = this.addresses;
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (addresses[order[middle]] <= gva) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    let best = low - 1;
    const address = addresses[order[best]];
    // Of several symbols at one address, the first in the table is used.
    while (best > 0 && addresses[order[best - 1]] === address) best--;
    let end = (inInit ? initText : coreText)?.end ?? address;
    if (low < order.length && addresses[order[low]] < end) {
      end = addresses[order[low]];
    }
    return {
      name: nameAt(this.table, order[best]),
      address,
      offset: Number(gva - address),
      // The kernel's subtraction wraps around for data after the end of the
      // text.
      size: Number(BigInt.asUintN(64, end - address)),
      module: this.module,
    };
  }
}

function covers(ranges: readonly AddressRange[], gva: bigint): boolean {
  return ranges.some(({ start, end }) => gva >= start && gva < end);
}

/** Like is_mapping_symbol: marks of assemblers that are not names. */
function isMappingSymbol(name: string): boolean {
  return name.startsWith(".L") || name.startsWith("$");
}
