/**
 * What the kernel's variables and the modules' own memory say of where modules
 * lie: addresses that nothing is called by.
 *
 * Sources: kernel/module/tree_lookup.c (mod_tree), kernel/module/main.c
 * (do_init_module), kernel/trace/ftrace.c (ftrace_process_locs).
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { readable } from "../../kernel/core/present.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { moduleSections } from "../../kernel/patching/module_sections.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";

/**
 * Sections that list places in a module's code, also in its init code, and
 * whether they are in the order of their addresses: Ftrace sorts its own.
 */
const LISTS: ReadonlyMap<string, boolean> = new Map([
  ["__mcount_loc", true],
  ["__patchable_function_entries", false],
]);

/** More bytes than the list of a module's functions has. */
const MOST_LIST = 1 << 20;
/** Sections are aligned to no more bytes than these. */
const PADDING = 64;
const WORD = 8;

/**
 * What a module's own memory says of its init code, which was freed when it was
 * loaded: another module may lie there now.
 */
export function ownBooks(
  kernel: Kernel,
  { gva, ranges }: ModuleView,
): GvaRange[] {
  const found: GvaRange[] = [];
  const init = kernel.types.tryOffset("module", "init");
  if (init !== undefined) {
    const start = gva + BigInt(init);
    found.push({ start, end: start + 8n });
  }
  let sections: { name: string; address: bigint }[] = [];
  try {
    sections = moduleSections(kernel, gva);
  } catch (error) {
    // Hidden modules have none, and XF024 says so of others.
    if (!isAboutGuest(error)) throw error;
  }
  const starts = sections.map(({ address }) => address);
  for (const { name, address } of sections) {
    const sorted = LISTS.get(name);
    if (sorted === undefined) continue;
    const own = ranges.find(({ start, end }) =>
      address >= start && address < end
    );
    if (own === undefined) continue;
    const next = starts.filter((at) => at > address)
      .reduce((least, at) => at < least ? at : least, own.end);
    const end = next < own.end ? next : own.end;
    const list = { start: address, end };
    if (isList(kernel, list, sorted)) found.push(list);
  }
  return found;
}

/**
 * Whether memory is a list of places in modules' code, and nothing else: a
 * section that is said to lie elsewhere is none.
 */
function isList(
  kernel: Kernel,
  { start, end }: GvaRange,
  sorted: boolean,
): boolean {
  const size = Number(end - start);
  if (size > MOST_LIST) return false;
  const bytes = readable(() => kernel.space.bytes(start, size));
  if (bytes === undefined) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const places = new Set<bigint>();
  let before = 0n;
  for (let at = 0; at + 8 <= size; at += 8) {
    const word = view.getBigUint64(at, true);
    if (word === 0n) {
      // What follows is padding up to the next section.
      return places.size > 1 && size - at < PADDING &&
        bytes.subarray(at).every((byte) => byte === 0);
    }
    if (!isIn(kernel.moduleRegion, word) || places.has(word)) return false;
    if (sorted && word < before) return false;
    before = word;
    places.add(word);
  }
  return places.size > 1;
}

/** Variables that hold bounds of modules' memory. */
export function boundsOfModules(kernel: Kernel): GvaRange[] {
  return ["mod_tree", "module_addr_min", "module_addr_max"].flatMap((name) => {
    const start = kernel.symbols.tryAddress(name);
    const size = start === undefined
      ? undefined
      : kernel.symbols.lookup(start)?.size;
    if (start === undefined || size === undefined) return [];
    // The next symbol tells where it ends, if it was not renamed.
    const own = name === "mod_tree"
      ? kernel.types.tryStruct("mod_tree_root")?.size ?? size
      : WORD;
    return [{ start, end: start + BigInt(Math.min(size, own)) }];
  });
}

/** Whether a GVA lies in a range, if there is one. */
export function isIn(range: GvaRange | undefined, gva: bigint): boolean {
  return range !== undefined && gva >= range.start && gva < range.end;
}

/** Whether an error is about what the guest holds. */
function isAboutGuest(error: unknown): boolean {
  return error instanceof KernelError || error instanceof MemoryError;
}
