/**
 * A module's tables (jump labels, static calls, tracepoints, symbols), and
 * whether the kernel's count of their entries can be true.
 *
 * Source: kernel/module/main.c, kernel/module/kallsyms.c,
 * include/linux/module.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../core/kernel.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import { keepsSections, moduleSections } from "./module_sections.ts";

/** No module has a larger table, in bytes. */
const MOST_BYTES = 1 << 20;

/**
 * Makes sure that a module's table is where its section was loaded, and ends
 * where the next section begins: who clears a count, or makes it smaller, hides
 * the rest of the table.
 *
 * @param section the section's name in the module's file
 * @param start where the table lies by the `struct module`; 0n: nowhere
 * @param bytes its size by the `struct module`
 * @throws {KernelError} when the sections say something else.
 */
export function wholeTable(
  kernel: Kernel,
  module: bigint,
  section: string,
  start: bigint,
  bytes: number,
): void {
  if (bytes > MOST_BYTES) {
    throw new KernelError(`its ${section} claims ${bytes} bytes`);
  }
  if (bytes > 0 && start === 0n) {
    throw new KernelError(
      `its ${section} claims ${bytes} bytes, and is nowhere`,
    );
  }
  const known = keepsSections(kernel);
  const sections = known ? moduleSections(kernel, module) : [];
  const own = sections.find(({ name }) => name === section)?.address;
  if (own === undefined) {
    // A module without the section has neither (find_module_sections).
    if (bytes === 0 && start !== 0n) {
      throw new KernelError(`it has a ${section}, and nothing in it`);
    }
    if (bytes === 0 || !known) return;
    throw new KernelError(`it has a table, but was loaded without ${section}`);
  }
  if (own !== start) {
    throw new KernelError(`its ${section} is not where it was loaded`);
  }
  const end = own + BigInt(bytes);
  const page = BigInt(kernel.pageSize);
  const next = sections.map(({ address }) => address)
    .filter((address) => address > own)
    .reduce((a, b) => a < b ? a : b, (end / page + 1n) * page);
  // Between sections there is nothing but padding.
  const rest = end - end % page + page;
  const until = next < rest ? next : rest;
  const padding = until > end
    ? kernel.space.bytes(end, Number(until - end))
    : new Uint8Array();
  if (end > next || padding.some((byte) => byte !== 0)) {
    throw new KernelError(
      `its ${section} ends elsewhere than its count of entries says`,
    );
  }
}

/** sizeof(Elf64_Sym). */
const SYMBOL = 24;

/**
 * Makes sure that `num_symtab` of a module that has been loaded is true: the
 * kernel puts the symbols' names right behind the symbols (layout_symtab).
 * Without symbols, nothing in the module has a name.
 *
 * @throws {KernelError} when it says something else.
 */
export function wholeSymbols(kernel: Kernel, module: bigint): void {
  const core = kernel.types.tryOffset("module", "core_kallsyms");
  const at = kernel.object("module", module);
  if (core === undefined || !at.has("kallsyms")) return;
  const table = at.u64("kallsyms");
  // While its init code runs, it has the symbols of that as well, in the order
  // of its file.
  const loaded = table === module + BigInt(core);
  const live = kernel.types.enumerator("MODULE_STATE_LIVE");
  if (!loaded && at.number("state") !== live) return;
  if (!loaded) throw new KernelError("its symbols are not where they belong");
  const symbols = kernel.object("mod_kallsyms", table);
  const count = symbols.number("num_symtab");
  const end = symbols.u64("symtab") + BigInt(SYMBOL * count);
  // The first symbol is empty, and always there.
  if (count > 0 && symbols.u64("strtab") === end) return;
  throw new KernelError(
    `its num_symtab claims ${count} symbols, and their names do not begin behind so many`,
  );
}

/**
 * How many symbols a module shows to the kernel's own lookups and in
 * /proc/kallsyms; `undefined` in a kernel that keeps none, or when they cannot
 * be found.
 */
export function shownSymbols(
  kernel: Kernel,
  module: bigint,
): number | undefined {
  const at = kernel.object("module", module);
  if (!at.has("kallsyms")) return undefined;
  return at.follow("kallsyms", "mod_kallsyms")?.number("num_symtab");
}

/** Sections that hold no code, in any module that has them. */
const DATA =
  /^(\.rodata|\.data|\.bss|\.note|\.orc_|\.symtab|__mcount_loc|\.gnu\.linkonce\.this_module)/;
/** The section that the `struct module` itself lies in. */
const THIS_MODULE = ".gnu.linkonce.this_module";

/**
 * The section of data that lies in what a module calls its text; `undefined`
 * when there is none, or this kernel keeps no sections.
 *
 * @throws {KernelError} when the sections cannot be those of the module.
 */
export function dataInText(
  kernel: Kernel,
  { gva, text }: { gva: bigint; text: readonly GvaRange[] },
): { name: string; address: bigint } | undefined {
  if (!keepsSections(kernel)) return undefined;
  const sections = moduleSections(kernel, gva);
  const own = sections.find(({ name }) => name === THIS_MODULE);
  if (own?.address !== gva) {
    throw new KernelError("its sections are not those that it was loaded with");
  }
  // The first section lies at the very start (layout_sections).
  const stray = text.find(({ start }) =>
    !sections.some(({ address }) => address === start)
  );
  if (stray !== undefined) {
    throw new KernelError(
      `it claims text from ${
        hex(stray.start)
      } on, where none of its sections begins`,
    );
  }
  return sections.find(({ name, address }) =>
    DATA.test(name) &&
    text.some(({ start, end }) => address >= start && address < end)
  );
}
