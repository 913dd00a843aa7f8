/**
 * The objects in a module's data, by the places and sizes of its symbols.
 *
 * A symbol is a word of the module's own memory. So an object reaches to the
 * symbols beside it: one that was moved, or made smaller, leaves its bytes to
 * the object that they are part of.
 *
 * Source: include/uapi/linux/elf.h (Elf64_Sym), kernel/module/kallsyms.c.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";

/** Elf64_Sym: st_name, st_info, st_other, st_shndx, st_value, st_size. */
const SYM_BYTES = 24;
/** More symbols than any module has. */
const MOST_SYMBOLS = 1 << 18;

/** Where a module's symbols say that its objects and functions lie. */
export class DataObjects {
  /** By ascending start. */
  readonly #symbols: readonly GvaRange[];

  /** A module whose symbols cannot be read has none. */
  constructor(kernel: Kernel, module: ModuleView) {
    this.#symbols = symbolsIn(kernel, module)
      .sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
  }

  /** The object at a GVA; `undefined` when there is no symbol before it. */
  at(gva: bigint): GvaRange | undefined {
    const all = this.#symbols;
    const holding = all.filter(({ start, end }) => start <= gva && gva < end);
    const before = all.findLast(({ start }) => start <= gva);
    if (before === undefined) return undefined;
    // Where no symbol reaches, the one before it may have been made smaller.
    const parts = holding.length === 0
      ? [{ start: before.start, end: gva + 1n }]
      : holding;
    const start = parts.map(({ start }) => start).reduce(least);
    const end = parts.map(({ end }) => end).reduce(most);
    return {
      start: all.filter((one) => one.start < start)
        .map((one) => one.end < start ? one.end : start)
        .reduce(most, 0n),
      end: all.find((one) => one.start >= end)?.start ?? end,
    };
  }

  /** Whether a GVA lies within a symbol's object, and not at its start. */
  within(gva: bigint): boolean {
    return this.#symbols.some(({ start, end }) => start < gva && gva < end);
  }
}

function symbolsIn(kernel: Kernel, { gva }: ModuleView): GvaRange[] {
  try {
    const table = kernel.object("module", gva)
      .follow("kallsyms", "mod_kallsyms");
    if (table === undefined) return [];
    const count = table.number("num_symtab");
    const bytes = allocateBytes(
      count * SYM_BYTES,
      MOST_SYMBOLS * SYM_BYTES,
      table.gva,
      { error: () => new KernelError(`it claims to have ${count} symbols`) },
    );
    kernel.space.read(table.u64("symtab"), bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const found: GvaRange[] = [];
    for (let at = 0; at < bytes.length; at += SYM_BYTES) {
      const named = view.getUint32(at, true) !== 0;
      const section = view.getUint16(at + 6, true);
      if (!named || section === 0) continue;
      const start = view.getBigUint64(at + 8, true);
      found.push({ start, end: start + view.getBigUint64(at + 16, true) });
    }
    return found;
  } catch (error) {
    if (error instanceof MemoryError || error instanceof KernelError) return [];
    throw error;
  }
}

const least = (a: bigint, b: bigint) => a < b ? a : b;
const most = (a: bigint, b: bigint) => a > b ? a : b;
