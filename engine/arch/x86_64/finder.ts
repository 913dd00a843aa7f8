/**
 * Finds an x86-64 kernel: GPA = GVA - __START_KERNEL_map + phys_base.
 *
 * Sources: arch/x86/kernel/machine_kexec_64.c
 * (arch_crash_save_vmcoreinfo), arch/x86/kernel/head_64.S.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import type { KernelFinder, KernelPlace } from "../kernel_place.ts";
import { image, START_KERNEL_MAP } from "./image.ts";
import { X86PageTables } from "./page_tables.ts";

/** The page tables, if they map `gva` of the image to where `physBase` says. */
function place(
  memory: PhysicalMemory,
  topTable: bigint,
  physBase: number,
  levels: 4 | 5 | undefined,
  gva: bigint,
): KernelPlace | undefined {
  const physical = (va: bigint) => image.physical(va, physBase);
  for (const depth of levels === undefined ? [4, 5] as const : [levels]) {
    const tables = new X86PageTables(memory, physical(topTable), depth);
    try {
      if (tables.tryTranslate(gva)?.gpa === physical(gva)) {
        return { tables, physBase };
      }
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
    }
  }
  return undefined;
}

/** See {@linkcode KernelFinder}. */
export const finder: KernelFinder = {
  byNote(memory, note) {
    const physBase = note.number("phys_base");
    const top = note.symbol("init_top_pgt") ?? note.symbol("swapper_pg_dir");
    const probe = note.symbol("_stext") ?? note.symbol("init_uts_ns");
    if (physBase === undefined || top === undefined || probe === undefined) {
      return undefined;
    }
    const l5 = note.number("pgtable_l5_enabled");
    const levels = l5 === undefined ? undefined : l5 === 1n ? 5 : 4;
    return place(memory, top, Number(physBase), levels, probe);
  },
  byImage(memory, { textGva, textGpa, symbols }) {
    const physBase = textGpa - Number(textGva - START_KERNEL_MAP);
    const top = symbols.tryAddress("init_top_pgt") ??
      symbols.address("swapper_pg_dir");
    return place(memory, top, physBase, undefined, textGva);
  },
  firstSyscalls: ["__x64_sys_read", "__x64_sys_write", "__x64_sys_open"],
};
