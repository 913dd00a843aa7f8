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
import { steady } from "../../kernel/core/lists.ts";
import { mapleNodes } from "../../kernel/core/maple_tree.ts";
import { readable } from "../../kernel/core/present.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { listedLeaders, threadsOf } from "../../kernel/objects/tasks.ts";
import { callSiteRecords } from "../../kernel/patching/ftrace_ops.ts";
import { moduleSections } from "../../kernel/patching/module_sections.ts";
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { SlabObject } from "../../kernel/objects/slab_objects.ts";
import { vmapAreas } from "../../kernel/objects/stack_areas.ts";
import type { Holder } from "./holders.ts";

/** FTRACE_RETFUNC_DEPTH entries, or SHADOW_STACK_SIZE since 6.11. */
const RET_STACK_ENTRIES = 50;
const MOST_RET_STACK = 4096;

/** A table of what sysfs shows, and where its entries hold an address. */
interface Entries {
  readonly table: string;
  readonly entry: string;
  readonly members: readonly string[];
}

/** Members of struct module that lead to books about its sections. */
const BOOKS: readonly { member: string; entries: readonly Entries[] }[] = [
  {
    member: "sect_attrs",
    entries: [
      {
        table: "module_sect_attrs",
        entry: "module_sect_attr",
        members: ["address"],
      },
      {
        table: "module_sect_attrs",
        entry: "bin_attribute",
        members: ["private"],
      },
    ],
  },
  {
    member: "notes_attrs",
    entries: [
      {
        table: "module_notes_attrs",
        entry: "bin_attribute",
        members: ["private"],
      },
    ],
  },
  {
    member: "mkobj.mp",
    entries: [
      {
        table: "module_param_attrs",
        entry: "param_attribute",
        members: ["param", "mattr.attr.name"],
      },
    ],
  },
];

/** Sections that list places in a module's code, also in its init code. */
const LISTS = new Set(["__mcount_loc", "__patchable_function_entries"]);

/** Memory that holds addresses of code and never leads to it. */
export class KnownWays {
  readonly #kernel: Kernel;
  /** Parts of variables, and of modules' own memory. */
  readonly #ranges: readonly GvaRange[];
  /** Whole pages, which are of no cache and of nothing else. */
  readonly #pages: readonly GvaRange[];
  /** Which words of an object are such addresses, by its GVA. */
  readonly #objects = new Map<bigint, (offset: number) => boolean>();
  readonly #stacks: ReadonlySet<bigint>;
  readonly #stackBytes: number;
  #areas: ReadonlySet<bigint> | undefined;
  #reserve: ReadonlySet<bigint> | undefined;

  /**
   * @param modules those whose books are looked for
   * @throws {KernelError | MemoryError} when the kernel's books cannot be read.
   */
  constructor(kernel: Kernel, modules: readonly ModuleView[]) {
    this.#kernel = kernel;
    this.#pages = joined([...callSiteRecords(kernel), ...ringPages(kernel)]);
    this.#ranges = joined([
      ...variables(kernel),
      ...modules.flatMap((module) => ownBooks(kernel, module)),
    ]);
    for (const { gva } of modules) {
      const module = kernel.object("module", gva);
      for (const { member, entries } of BOOKS) {
        if (!module.has(member)) continue;
        const book = readable(() => module.u64(member)) ?? 0n;
        if (book !== 0n) this.#objects.set(book, entriesOf(kernel, entries));
      }
    }
    this.#stacks = new Set(returnStacks(kernel));
    const entry = kernel.types.tryStruct("ftrace_ret_stack")?.size ?? 8;
    this.#stackBytes = Math.min(MOST_RET_STACK, RET_STACK_ENTRIES * entry);
  }

  /**
   * Learns from a holder where the memory allocator has its books about the
   * code's own pages.
   *
   * @throws {KernelError | MemoryError} when these books cannot be read.
   */
  learn({ object }: Holder): void {
    if (object === undefined || !this.#isArea(object)) return;
    const area = this.#kernel.object("vmap_area", object.gva);
    if (!area.has("vm")) return;
    const vm = readable(() => area.u64("vm"));
    const addr = this.#kernel.types.tryOffset("vm_struct", "addr");
    if (vm === undefined || vm === 0n || addr === undefined) return;
    this.#objects.set(vm, (offset) => offset === addr);
  }

  /** Whether a holder is one of these. */
  has({ object, address, use }: Holder): boolean {
    if (object !== undefined) {
      if (this.#isArea(object) || this.#isReserve(object)) return true;
      if (this.#objects.get(object.gva)?.(object.offset) === true) return true;
      return object.size >= this.#stackBytes && this.#stacks.has(object.gva);
    }
    // Whoever has a book name memory of another kind takes nothing out of the
    // search.
    if (use === "kernel") return rangeAt(this.#pages, address) >= 0;
    return rangeAt(this.#ranges, address) >= 0;
  }

  /** Whether a word is a bound of an area that the allocator has on a list. */
  #isArea({ cache, gva, offset }: SlabObject): boolean {
    if (cache !== "vmap_area") return false;
    const { types } = this.#kernel;
    const bound = ["va_start", "va_end"].some((member) =>
      types.tryOffset("vmap_area", member) === offset
    );
    if (!bound) return false;
    this.#areas ??= vmapAreas(this.#kernel);
    return this.#areas.has(gva);
  }

  /**
   * Whether an object is of the books of the kernel's reserve of executable
   * memory (mm/execmem.c, since Linux 6.13): ranges, and nothing that is called.
   */
  #isReserve({ cache, gva }: SlabObject): boolean {
    if (cache !== "maple_node") return false;
    this.#reserve ??= new Set(reserveNodes(this.#kernel));
    return this.#reserve.has(gva);
  }
}

/** GVAs of the nodes in which the kernel has its reserve of code. */
function reserveNodes(kernel: Kernel): bigint[] {
  const at = kernel.symbols.tryAddress("execmem_cache");
  if (at === undefined) return [];
  return ["busy_areas", "free_areas"].flatMap((member) => {
    const tree = kernel.types.tryOffset("execmem_cache", member);
    return tree === undefined
      ? []
      : steady(() => mapleNodes(kernel, at + BigInt(tree)));
  });
}

/** Tells the words of a table's entries that hold an address. */
function entriesOf(
  { types }: Kernel,
  entries: readonly Entries[],
): (offset: number) => boolean {
  for (const { table, entry, members } of entries) {
    const first = types.tryOffset(table, "attrs");
    const size = types.tryStruct(entry)?.size ?? 0;
    const places = members.map((member) => types.tryOffset(entry, member));
    if (first === undefined || size === 0 || places[0] === undefined) continue;
    return (offset) =>
      offset >= first && places.includes((offset - first) % size);
  }
  return () => false;
}

/**
 * What a module's own memory says of its init code, which was freed when it was
 * loaded: another module may lie there now.
 */
function ownBooks(kernel: Kernel, { gva, ranges }: ModuleView): GvaRange[] {
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
    if (!LISTS.has(name)) continue;
    const own = ranges.find(({ start, end }) =>
      address >= start && address < end
    );
    if (own === undefined) continue;
    const end = starts.filter((at) => at > address)
      .reduce((least, at) => at < least ? at : least, own.end);
    found.push({ start: address, end: end < own.end ? end : own.end });
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

/**
 * Where tasks keep the functions that function_graph saw them enter: objects of
 * their own, as large as such a stack.
 */
function returnStacks(kernel: Kernel): bigint[] {
  const found: bigint[] = [];
  const { types } = kernel;
  if (types.tryOffset("task_struct", "ret_stack") === undefined) return found;
  for (const leader of listedLeaders(kernel)) {
    for (const gva of readable(() => threadsOf(kernel, leader)) ?? []) {
      const start = readable(() =>
        kernel.object("task_struct", gva).u64("ret_stack")
      );
      if (start !== undefined && start !== 0n) found.push(start);
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
