/**
 * The ways in which the kernel holds the address of a module's code without
 * ever running it: the books of memory, of the module loader and of Ftrace.
 *
 * Sources: kernel/module/sysfs.c (module_sect_attrs, module_notes_attrs),
 * mm/vmalloc.c (vmap_area, vm_struct), kernel/trace/ftrace.c (ftrace_page),
 * kernel/module/tree_lookup.c (mod_tree), kernel/trace/ring_buffer.c,
 * kernel/trace/fgraph.c (ret_stack).
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import { TraceArray } from "../../ftrace/ring/trace_array.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { readable } from "../../kernel/core/present.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { listedLeaders, threadsOf } from "../../kernel/objects/tasks.ts";
import { callSiteRecords } from "../../kernel/patching/ftrace_ops.ts";
import { moduleSections } from "../../kernel/patching/module_sections.ts";
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { Holder } from "./holders.ts";

/** FTRACE_RETFUNC_DEPTH entries, or SHADOW_STACK_SIZE since 6.11. */
const MOST_RET_STACK = 4096;

/** Members of struct module that lead to books about its sections. */
const BOOKS = ["sect_attrs", "notes_attrs", "mkobj.mp"];

/** Sections that list places in a module's code, also in its init code. */
const LISTS = new Set(["__mcount_loc", "__patchable_function_entries"]);
/** More bytes than such a section has. */
const MOST_LIST = 1n << 20n;

/** Memory that holds addresses of code and never leads to it. */
export class KnownWays {
  readonly #kernel: Kernel;
  readonly #ranges: readonly GvaRange[];
  readonly #objects = new Set<bigint>();

  /**
   * @param modules those whose books are looked for
   * @throws {KernelError | MemoryError} when the kernel's books cannot be read.
   */
  constructor(kernel: Kernel, modules: readonly ModuleView[]) {
    this.#kernel = kernel;
    const ranges = [
      ...callSiteRecords(kernel),
      ...ringPages(kernel),
      ...variables(kernel),
      ...returnStacks(kernel),
    ];
    for (const { gva } of modules) {
      const module = kernel.object("module", gva);
      ranges.push(...ownBooks(kernel, gva));
      for (const member of BOOKS) {
        if (!module.has(member)) continue;
        const book = readable(() => module.u64(member)) ?? 0n;
        if (book !== 0n) this.#objects.add(book);
      }
    }
    this.#ranges = joined(ranges);
  }

  /**
   * Learns from a holder where the memory allocator has its books about the
   * code's own pages.
   */
  learn({ object }: Holder): void {
    if (object?.cache !== "vmap_area") return;
    const area = this.#kernel.object("vmap_area", object.gva);
    if (!area.has("vm")) return;
    const vm = readable(() => area.u64("vm"));
    if (vm !== undefined) this.#objects.add(vm);
  }

  /** Whether a holder is one of these. */
  has({ object, address }: Holder): boolean {
    if (object !== undefined) {
      // Ranges of memory, which nobody calls: areas of vmalloc, and those of the
      // kernel's cache of executable memory (mm/execmem.c).
      if (object.cache === "vmap_area") return true;
      if (object.cache === "maple_node") return true;
      if (this.#objects.has(object.gva)) return true;
    }
    return rangeAt(this.#ranges, address) >= 0;
  }
}

/**
 * What a module's own memory says of its init code, which was freed when it was
 * loaded: another module may lie there now.
 */
function ownBooks(kernel: Kernel, module: bigint): GvaRange[] {
  const found: GvaRange[] = [];
  const init = kernel.types.tryOffset("module", "init");
  if (init !== undefined) {
    const start = module + BigInt(init);
    found.push({ start, end: start + 8n });
  }
  let sections: { name: string; address: bigint }[] = [];
  try {
    sections = moduleSections(kernel, module);
  } catch (error) {
    // Hidden modules have none, and XF024 says so of others.
    if (!isAboutGuest(error)) throw error;
  }
  const starts = sections.map(({ address }) => address);
  for (const { name, address } of sections) {
    if (!LISTS.has(name)) continue;
    const end = starts.filter((at) => at > address)
      .reduce((least, at) => at < least ? at : least, address + MOST_LIST);
    found.push({ start: address, end });
  }
  return found;
}

/** Pages of ring buffers: what was traced. */
function ringPages(kernel: Kernel): GvaRange[] {
  const found: GvaRange[] = [];
  for (const instance of TraceArray.all(kernel)) {
    for (const buffer of [instance.buffer(), instance.snapshotBuffer()]) {
      if (buffer === undefined) continue;
      const size = BigInt(buffer.pageSize);
      for (const cpu of buffer.cpuBuffers()) {
        for (const { data } of cpu.pages(true)) {
          found.push({ start: data, end: data + size });
        }
      }
    }
  }
  return found;
}

/** Variables that hold bounds of modules' memory. */
function variables(kernel: Kernel): GvaRange[] {
  return ["mod_tree", "module_addr_min", "module_addr_max"].flatMap((name) => {
    const start = kernel.symbols.tryAddress(name);
    const size = start === undefined
      ? undefined
      : kernel.symbols.lookup(start)?.size;
    if (start === undefined || size === undefined) return [];
    return [{ start, end: start + BigInt(size) }];
  });
}

/** Where tasks keep the functions that function_graph saw them enter. */
function returnStacks(kernel: Kernel): GvaRange[] {
  const found: GvaRange[] = [];
  const { types } = kernel;
  if (types.tryOffset("task_struct", "ret_stack") === undefined) return found;
  const entry = types.tryStruct("ftrace_ret_stack")?.size ?? 8;
  for (const leader of listedLeaders(kernel)) {
    for (const gva of readable(() => threadsOf(kernel, leader)) ?? []) {
      const start = readable(() =>
        kernel.object("task_struct", gva).u64("ret_stack")
      );
      if (start === undefined || start === 0n) continue;
      const bytes = Math.max(
        kernel.pageSize,
        Math.min(MOST_RET_STACK, 50 * entry),
      );
      found.push({ start, end: start + BigInt(bytes) });
    }
  }
  return found;
}

function joined(ranges: readonly GvaRange[]): GvaRange[] {
  const sorted = ranges.toSorted((a, b) => a.start < b.start ? -1 : 1);
  const all: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of sorted) {
    const last = all.at(-1);
    if (last !== undefined && start <= last.end) {
      if (end > last.end) last.end = end;
    } else all.push({ start, end });
  }
  return all;
}

/** Whether an error is about what the guest holds. */
function isAboutGuest(error: unknown): boolean {
  return error instanceof KernelError || error instanceof MemoryError;
}
