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
import type { Kernel } from "../../kernel/core/kernel.ts";
import { steady } from "../../kernel/core/lists.ts";
import { mapleNodes } from "../../kernel/core/maple_tree.ts";
import { readable } from "../../kernel/core/present.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { listedLeaders, threadsOf } from "../../kernel/objects/tasks.ts";
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { SlabObject } from "../../kernel/objects/slab_objects.ts";
import { vmapAreas } from "../../kernel/objects/stack_areas.ts";
import type { Holder } from "./holders.ts";
import { boundsOfModules, isIn, ownBooks } from "./own_books.ts";
import { TracedPages } from "./traced_pages.ts";

/** FTRACE_RETFUNC_DEPTH entries, or SHADOW_STACK_SIZE since 6.11. */
const RET_STACK_ENTRIES = 50;
const MOST_RET_STACK = 4096;
/** Larger than a task's stack is. */
const MOST_STACK = 1n << 16n;

/** A table of what sysfs shows, and where its entries hold an address. */
interface Entries {
  readonly table: string;
  readonly entry: string;
  readonly members: readonly string[];
  /**
   * The members that lead to what sysfs calls for an entry, and its names: what
   * is only said to be such a table has none.
   */
  readonly called: readonly string[];
  readonly by: readonly string[];
}

const SECTION = ["module_sect_read"];
const NOTE = ["module_notes_read", "sysfs_bin_attr_simple_read"];

/** Members of struct module that lead to books about its sections. */
const BOOKS: readonly { member: string; entries: readonly Entries[] }[] = [
  {
    member: "sect_attrs",
    entries: [
      {
        table: "module_sect_attrs",
        entry: "module_sect_attr",
        members: ["address"],
        called: ["battr.read"],
        by: SECTION,
      },
      {
        table: "module_sect_attrs",
        entry: "bin_attribute",
        members: ["private"],
        called: ["read", "read_new"],
        by: SECTION,
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
        called: ["read", "read_new"],
        by: NOTE,
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
        called: ["mattr.show"],
        by: ["param_attr_show"],
      },
    ],
  },
];

/** Memory that holds addresses of code and never leads to it. */
export class KnownWays {
  readonly #kernel: Kernel;
  /** Parts of variables, and of modules' own memory. */
  readonly #ranges: readonly GvaRange[];
  readonly #traced: TracedPages;
  /** Which words of an object are such addresses, by its GVA. */
  readonly #objects = new Map<bigint, (offset: number) => boolean>();
  readonly #stacks: ReadonlyMap<bigint, bigint>;
  readonly #stackBytes: number;
  readonly #vmalloc: GvaRange | undefined;
  #areas: ReadonlySet<bigint> | undefined;
  #vms: ReadonlySet<bigint> | undefined;
  #reserve: ReadonlySet<bigint> | undefined;

  /**
   * @param modules those whose books are looked for
   * @throws {KernelError | MemoryError} when the kernel's books cannot be read.
   */
  constructor(kernel: Kernel, modules: readonly ModuleView[]) {
    this.#kernel = kernel;
    this.#traced = new TracedPages(kernel);
    this.#ranges = joined([
      ...boundsOfModules(kernel),
      ...modules.flatMap((module) => ownBooks(kernel, module)),
    ]);
    for (const { gva } of modules) {
      const module = kernel.object("module", gva);
      for (const { member, entries } of BOOKS) {
        if (!module.has(member)) continue;
        const book = readable(() => module.u64(member)) ?? 0n;
        if (book === 0n) continue;
        this.#objects.set(book, entriesOf(kernel, book, entries));
      }
    }
    this.#stacks = returnStacks(kernel);
    const entry = kernel.types.tryStruct("ftrace_ret_stack")?.size ?? 8;
    this.#stackBytes = Math.min(MOST_RET_STACK, RET_STACK_ENTRIES * entry);
    this.#vmalloc = kernel.arch.image.vmalloc(
      kernel.symbols,
      (gva) => kernel.space.u64(gva),
    );
  }

  /** Whether a holder is one of these. */
  has({ object, address, use }: Holder): boolean {
    if (object !== undefined) {
      return this.#isArea(object) || this.#isReserve(object) ||
        this.#objects.get(object.gva)?.(object.offset) === true ||
        this.#isReturn(object) || this.#isOfVm(object);
    }
    // Whoever has a book name memory of another kind takes nothing out of the
    // search.
    if (use === "kernel") return this.#traced.has(address);
    return rangeAt(this.#ranges, address) >= 0;
  }

  /**
   * Whether a word is an address in one of the allocator's books about an area
   * that it has on a list: where it lies, or who asked for it.
   */
  #isOfVm({ gva, offset }: SlabObject): boolean {
    const { types } = this.#kernel;
    const is = ["addr", "caller"].some((member) =>
      types.tryOffset("vm_struct", member) === offset
    );
    if (!is) return false;
    this.#areas ??= vmapAreas(this.#kernel);
    this.#vms ??= vmsOf(this.#kernel, this.#areas);
    return this.#vms.has(gva);
  }

  /**
   * Whether a word is in an entry of a stack of returns: each one knows where on
   * the task's stack it has put its own address.
   */
  #isReturn({ gva, offset, size }: SlabObject): boolean {
    const stack = this.#stacks.get(gva);
    if (stack === undefined || size < this.#stackBytes) return false;
    const { space, types } = this.#kernel;
    const at = (member: string) => types.tryOffset("ftrace_ret_stack", member);
    const back = at("retp");
    if (back === undefined) return true;
    return [at("ret"), at("func")].some((own) => {
      if (own === undefined) return false;
      const place = gva + BigInt(offset - own + back);
      const to = readable(() => space.u64(place)) ?? 0n;
      const onStack = to >= stack && to < stack + MOST_STACK;
      // Interrupts have stacks of their own.
      return to % 8n === 0n && (onStack || isIn(this.#vmalloc, to));
    });
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
  { space, symbols, types }: Kernel,
  book: bigint,
  entries: readonly Entries[],
): (offset: number) => boolean {
  for (const { table, entry, members, called, by } of entries) {
    const first = types.tryOffset(table, "attrs");
    const size = types.tryStruct(entry)?.size ?? 0;
    const places = members.map((member) => types.tryOffset(entry, member));
    if (first === undefined || size === 0 || places[0] === undefined) continue;
    const functions = by.flatMap((name) => symbols.addresses(name));
    const calls = called.map((member) => types.tryOffset(entry, member))
      .filter((at) => at !== undefined);
    return (offset) => {
      const past = (offset - first) % size;
      if (offset < first || !places.includes(past)) return false;
      const start = book + BigInt(offset - past);
      return calls.some((at) => {
        const to = readable(() => space.u64(start + BigInt(at)));
        return to !== undefined && functions.includes(to);
      });
    };
  }
  return () => false;
}

/**
 * GVAs of the `struct vm_struct`s of some areas, which name their bounds as
 * well.
 */
function vmsOf(kernel: Kernel, areas: ReadonlySet<bigint>): Set<bigint> {
  const found = new Set<bigint>();
  for (const gva of areas) {
    readable(() => {
      const area = kernel.object("vmap_area", gva);
      const vm = area.has("vm") ? area.u64("vm") : 0n;
      if (vm === 0n) return;
      const own = kernel.object("vm_struct", vm);
      const start = area.u64("va_start");
      const same = own.u64("addr") === start &&
        own.u64("size") === area.u64("va_end") - start;
      if (same) found.add(vm);
    });
  }
  return found;
}

/**
 * Where tasks keep the functions that function_graph saw them enter: objects of
 * their own, as large as such a stack; with the stack of each task.
 */
function returnStacks(kernel: Kernel): Map<bigint, bigint> {
  const found = new Map<bigint, bigint>();
  const { types } = kernel;
  if (types.tryOffset("task_struct", "ret_stack") === undefined) return found;
  for (const leader of listedLeaders(kernel)) {
    for (const gva of readable(() => threadsOf(kernel, leader)) ?? []) {
      readable(() => {
        const task = kernel.object("task_struct", gva);
        const start = task.u64("ret_stack");
        if (start !== 0n) found.set(start, task.u64("stack"));
      });
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
