/**
 * The kernel's several views of its modules: the list, the tree by address,
 * sysfs, and the modules' own memory. A module that is hidden from one of them
 * still appears in another.
 *
 * Sources: kernel/module/main.c, kernel/module/tree_lookup.c, kernel/params.c
 * (module_kset), include/linux/module.h.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { variable } from "../symbols/required.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, rbNodes, steady } from "../core/lists.ts";
import { readPresent } from "../core/present.ts";
import { ModuleSymbols } from "../symbols/module_symbols.ts";
import type { MappedRange } from "../../memory/gva_ranges.ts";

/** A `struct module`, from any of the views. */
export interface ModuleView {
  readonly name: string;
  /** GVA of its `struct module`. */
  readonly gva: bigint;
  /** Value of `enum module_state`. */
  readonly state: number;
  /** Its text, including init text while it exists. */
  readonly text: readonly { readonly start: bigint; readonly end: bigint }[];
  /** All of its memory. */
  readonly ranges: readonly { readonly start: bigint; readonly end: bigint }[];
  /** Whether it still has its init code or data, which go when it is live. */
  readonly hasInit: boolean;
  /**
   * Whether the kernel treats it as one of its own build: signature checked,
   * and not tainted as out of tree, unsigned or forced.
   */
  readonly vouched: boolean;
  /** Its `taints` in words; empty when there are none. */
  readonly taints: readonly string[];
}

/** Functions that only kernels that can load modules have. */
const MODULE_SYMBOLS = ["load_module", "find_module", "free_module"];

/** More modules than a kernel has loaded. */
const MODULES = { limit: 8192 };

/** How much of the modules' memory is searched at once. */
const CHUNK = 4 << 20;
/** More bytes than a `struct module` has. */
const MOST_STRUCT = 1 << 16;

/** include/linux/panic.h: TAINT_* bits about a module's origin. */
const ORIGIN_TAINTS: readonly [number, string][] = [
  [1, "forced load"],
  [12, "out of tree"],
  [13, "unsigned"],
];

/**
 * Reads a `struct module`.
 *
 * @throws {MemoryError} when it is not mapped.
 * @throws {KernelError} when this kernel's layout of it is not understood.
 */
export function readModule(kernel: Kernel, gva: bigint): ModuleView {
  const at = kernel.object("module", gva);
  const ranges: { start: bigint; end: bigint }[] = [];
  const text: { start: bigint; end: bigint }[] = [];
  let hasInit = false;
  const add = (base: bigint, size: number, code: number, init: boolean) => {
    if (base === 0n || size === 0) return;
    hasInit ||= init;
    ranges.push({ start: base, end: base + BigInt(size) });
    if (code > 0) text.push({ start: base, end: base + BigInt(code) });
  };
  const kinds = kernel.types.tryEnum("mod_mem_type")?.get("MOD_MEM_NUM_TYPES");
  if (kinds !== undefined && at.has("mem")) {
    const code = new Set([
      kernel.types.enumerator("MOD_TEXT"),
      kernel.types.enumerator("MOD_INIT_TEXT"),
    ]);
    const init = new Set(
      ["MOD_INIT_TEXT", "MOD_INIT_DATA", "MOD_INIT_RODATA"]
        .map((name) => kernel.types.tryEnumerator(name)),
    );
    for (let i = 0; i < kinds; i++) {
      const size = at.number(`mem[${i}].size`);
      const base = at.u64(`mem[${i}].base`);
      add(base, size, code.has(i) ? size : 0, init.has(i));
    }
  } else {
    for (const part of ["core_layout", "init_layout"]) {
      const size = at.number(`${part}.size`);
      const text = at.number(`${part}.text_size`);
      add(at.u64(`${part}.base`), size, text, part === "init_layout");
    }
  }
  const bits = at.u64("taints");
  const taints = ORIGIN_TAINTS
    .filter(([bit]) => ((bits >> BigInt(bit)) & 1n) === 1n)
    .map(([, word]) => word);
  const signed = !at.has("sig_ok") || at.number("sig_ok") !== 0;
  return {
    name: at.chars("name"),
    gva,
    state: at.number("state"),
    ranges,
    text,
    hasInit,
    vouched: signed && taints.length === 0,
    taints,
  };
}

/** The modules that can be read: one may be freed meanwhile. */
export function readModules(
  kernel: Kernel,
  gvas: readonly bigint[],
): ModuleView[] {
  return gvas.flatMap((gva) => {
    try {
      return [readModule(kernel, gva)];
    } catch (error) {
      if (error instanceof MemoryError) return [];
      throw error;
    }
  });
}

/** GVAs of the `struct module`s on the list that lsmod shows. */
export function listedModules(kernel: Kernel): bigint[] {
  const head = variable(kernel.symbols, "modules", MODULE_SYMBOLS);
  if (head === undefined) return [];
  const link = BigInt(kernel.types.offset("module", "list"));
  return steady(() => listNodes(kernel, head, MODULES)).map((node) =>
    node - link
  );
}

/**
 * GVAs of the `struct module`s in the tree for lookups by address; `undefined`
 * when this kernel has no such tree.
 */
export function treeModules(kernel: Kernel): bigint[] | undefined {
  const { types } = kernel;
  // CONFIG_MODULES_TREE_LOOKUP.
  if (types.tryStruct("mod_tree_node") === undefined) return undefined;
  const root = variable(kernel.symbols, "mod_tree", MODULE_SYMBOLS);
  if (root === undefined) return undefined;
  const first = types.offset("mod_tree_root", "root.tree[0]");
  const mod = types.offset("mod_tree_node", "mod");
  const node = types.offset("mod_tree_node", "node");
  // A latch tree: each node has two sets of links, and tree[0] uses the first.
  const found = steady(() =>
    rbNodes(kernel, root + BigInt(first), MODULES).map((rb) =>
      kernel.space.u64(rb - BigInt(node) + BigInt(mod))
    )
  );
  return [...new Set(found)];
}

/** GVAs of the `struct module`s that /sys/module shows. */
export function sysfsModules(kernel: Kernel): bigint[] | undefined {
  const { types } = kernel;
  const at = variable(kernel.symbols, "module_kset", MODULE_SYMBOLS);
  if (at === undefined) return undefined;
  const kset = kernel.space.u64(at);
  if (kset === 0n) throw new KernelError("module_kset is NULL");
  const entry = BigInt(types.offset("module_kobject", "kobj.entry"));
  const mod = BigInt(types.offset("module_kobject", "mod"));
  return steady(() =>
    listNodes(kernel, kset + BigInt(types.offset("kset", "list")), MODULES)
      .map((node) => kernel.space.u64(node - entry + mod))
  ).filter((gva) => gva !== 0n);
}

/**
 * GVAs of everything that looks like a `struct module` in the modules' memory:
 * `mkobj.mod` points back to its start, and its name has the form of a module's
 * name. Loading writes that pointer and sysfs needs it, so even a module
 * unlinked from every list keeps it.
 */
export function modulesInMemory(
  kernel: Kernel,
  mapped: readonly MappedRange[],
): bigint[] {
  const { types } = kernel;
  const back = types.offset("module", "mkobj.mod");
  const size = types.struct("module").size;
  const name = types.offset("module", "name");
  const found: bigint[] = [];
  const buffer = allocateWords(
    Uint32Array,
    (CHUNK + size) / 4,
    (CHUNK + MOST_STRUCT) / 4,
    "struct module",
  );
  for (const { start, end, writable } of mapped) {
    if (!writable) continue;
    for (let from = start; from < end; from += BigInt(CHUNK)) {
      const length = Math.min(CHUNK + size, Number(end - from));
      const words = buffer.subarray(0, length >>> 2);
      const bytes = new Uint8Array(buffer.buffer, 0, length);
      // A page that was unmapped meanwhile, or that a recording lacks, hides no
      // module in the pages beside it.
      readPresent(kernel, from, bytes);
      const low = Number(from & 0xffffffffn);
      const high = Number(from >> 32n);
      // A struct that begins behind the first CHUNK bytes is left to the next.
      const last = Math.min(CHUNK + back, length) / 4;
      for (let i = back / 4; i + 1 < last; i += 2) {
        const object = i * 4 - back;
        const own = low + object;
        if (words[i] !== own % 2 ** 32) continue;
        if (words[i + 1] !== high + Math.floor(own / 2 ** 32)) continue;
        if (object + size > bytes.length) continue;
        if (!isName(bytes, object + name)) continue;
        found.push(from + BigInt(object));
        if (found.length > MODULES.limit) {
          throw new KernelError(
            `more than ${MODULES.limit} modules seem to lie in memory: it is damaged`,
          );
        }
      }
    }
  }
  return found;
}

/** Whether the bytes can be a module's name: [A-Za-z0-9_-], then zeros. */
function isName(bytes: Uint8Array, at: number): boolean {
  let length = 0;
  while (length < 56 && bytes[at + length] !== 0) {
    const c = bytes[at + length];
    const word = (c >= 48 && c <= 57) || (c >= 65 && c <= 90) ||
      (c >= 97 && c <= 122) || c === 95 || c === 45 || c === 46;
    if (!word) return false;
    length++;
  }
  return length > 0 && length < 56;
}

/**
 * The symbols of a module that the kernel's own lookups no longer know;
 * `undefined` when its tables are gone or were wiped.
 */
export function symbolsOf(
  kernel: Kernel,
  module: ModuleView,
): ModuleSymbols | undefined {
  try {
    const at = kernel.object("module", module.gva);
    const table = at.follow("kallsyms", "mod_kallsyms");
    if (table === undefined) return undefined;
    return ModuleSymbols.read((gva, into) => kernel.space.read(gva, into), {
      module: module.name,
      symtab: table.u64("symtab"),
      count: table.number("num_symtab"),
      strtab: table.u64("strtab"),
      typetab: table.has("typetab") ? table.u64("typetab") : undefined,
      core: module.ranges,
      init: [],
      coreText: module.text[0],
      initText: undefined,
    });
  } catch (error) {
    if (error instanceof MemoryError || error instanceof KernelError) {
      return undefined;
    }
    throw error;
  }
}
