/**
 * The stacks of tasks by the allocator's own books, whatever the tasks say of
 * them: every task runs on one, so that a stack which nobody owns is somebody's.
 *
 * Sources: kernel/fork.c (alloc_thread_stack_node, thread_stack_free_rcu,
 * struct vm_stack), mm/vmalloc.c (vmap_area_list, vmap_nodes),
 * include/uapi/linux/magic.h.
 *
 * @module
 */
import { allocateList } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";
import { readable } from "../core/present.ts";
import { variable } from "../symbols/required.ts";

/** More areas than a kernel maps. */
const AREAS = { limit: 1 << 20 };
/** More lists of areas than a kernel has: one for each CPU (vmap_init_nodes). */
const MOST_NODES = 1024;
/** More pools of free areas than a node has (MAX_VA_SIZE_PAGES). */
const MOST_POOLS = 1024;
/** What the kernel writes at a stack's end (include/uapi/linux/magic.h). */
const STACK_END_MAGIC = 0x57ac_6e9d;

/** Memory that is mapped page by page. */
export interface StackArea {
  /** GVA of its first byte. */
  readonly start: bigint;
  /** GVA of its `struct vm_struct`. */
  readonly vm: bigint;
}

/** The words of a task by which it owns a stack. */
export interface StackOwner {
  readonly stack: bigint;
  /** GVA of a `struct vm_struct`: `stack_vm_area`. */
  readonly vm: bigint;
}

/** The stacks that the allocator knows of. */
export class StackAreas {
  readonly #kernel: Kernel;
  readonly #areas: readonly StackArea[];
  readonly #starts: ReadonlySet<bigint>;
  readonly #vms: ReadonlySet<bigint>;

  /** @throws {KernelError | MemoryError} when its books cannot be read. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#areas = areas(kernel);
    this.#starts = new Set(this.#areas.map(({ start }) => start));
    this.#vms = new Set(this.#areas.map(({ vm }) => vm));
  }

  /** Whether either word of a task leads to an area, or one to the other. */
  owned({ stack, vm }: StackOwner): boolean {
    if (this.#starts.has(stack) || this.#vms.has(vm)) return true;
    if (stack === 0n || vm === 0n) return false;
    const area = this.#kernel.object("vm_struct", vm);
    return readable(() => area.u64("addr")) === stack;
  }

  /**
   * The stacks that none of some tasks owns, and that are neither kept for the
   * next task nor about to be freed.
   *
   * @param owners all tasks, those on no list as well
   */
  ownerless(owners: readonly StackOwner[]): StackArea[] {
    const kernel = this.#kernel;
    const starts = new Set(owners.map(({ stack }) => stack));
    const vms = new Set(owners.map(({ vm }) => vm));
    const sizes = new Set<bigint>();
    const callers = new Set<bigint>();
    const left: StackArea[] = [];
    for (const area of this.#areas) {
      if (!starts.has(area.start) && !vms.has(area.vm)) {
        left.push(area);
        continue;
      }
      const own = kernel.object("vm_struct", area.vm);
      sizes.add(readable(() => own.u64("size")) ?? 0n);
      callers.add(readable(() => own.u64("caller")) ?? 0n);
    }
    const cached = cachedStacks(kernel);
    return left.filter(({ start, vm }) => {
      if (cached.has(vm) || this.#isFreed(start, vm)) return false;
      const own = kernel.object("vm_struct", vm);
      // Who asked for it, or the mark at its end: neither alone hides it.
      const caller = readable(() => own.u64("caller")) ?? 0n;
      if (callers.has(caller)) return true;
      return sizes.has(readable(() => own.u64("size")) ?? 0n) &&
        readable(() => kernel.space.u32(start)) === STACK_END_MAGIC;
    });
  }

  /**
   * Whether a stack waits to be freed: it then holds what is to be called for
   * that, and its own area (struct vm_stack).
   */
  #isFreed(start: bigint, vm: bigint): boolean {
    const kernel = this.#kernel;
    const free = kernel.symbols.tryAddress("thread_stack_free_rcu");
    if (
      free === undefined || kernel.types.tryStruct("vm_stack") === undefined
    ) {
      return false;
    }
    const stack = kernel.object("vm_stack", start);
    return readable(() => stack.u64("rcu.func")) === free &&
      readable(() => stack.u64("stack_vm_area")) === vm;
  }
}

/** GVAs of the `struct vm_struct`s of stacks that are kept for the next tasks. */
function cachedStacks(kernel: Kernel): ReadonlySet<bigint> {
  const found = new Set<bigint>();
  const at = kernel.symbols.tryAddress("cached_stacks");
  if (at === undefined) return found;
  // NR_CACHED_STACKS is 2.
  for (const cpu of kernel.cpus) {
    for (const slot of [0n, 8n]) {
      const gva = kernel.perCpu("cached_stacks", cpu) + slot;
      const vm = readable(() => kernel.space.u64(gva)) ?? 0n;
      if (vm !== 0n) found.add(vm);
    }
  }
  return found;
}

/** All areas that have a `struct vm_struct`. */
function areas(kernel: Kernel): StackArea[] {
  const link = BigInt(kernel.types.offset("vmap_area", "list"));
  const found: StackArea[] = [];
  for (const head of heads(kernel)) {
    const nodes = steady(() => listNodes(kernel, head, AREAS));
    for (const node of nodes) {
      const area = kernel.object("vmap_area", node - link);
      const start = readable(() => area.u64("va_start"));
      const vm = readable(() => area.u64("vm"));
      if (start === undefined || vm === undefined || vm === 0n) continue;
      found.push({ start, vm });
    }
  }
  return found;
}

/**
 * GVAs of all `struct vmap_area`s: of memory that is in use, that is free, and
 * that waits to be freed.
 *
 * @throws {KernelError | MemoryError} when a list cannot be followed.
 */
export function vmapAreas(kernel: Kernel): ReadonlySet<bigint> {
  const { space, symbols, types } = kernel;
  const link = BigInt(types.offset("vmap_area", "list"));
  const found = new Set<bigint>();
  const add = (head: bigint) => {
    for (const node of steady(() => listNodes(kernel, head, AREAS))) {
      found.add(node - link);
    }
  };
  const busy = heads(kernel);
  busy.forEach(add);
  for (const name of ["free_vmap_area_list", "purge_vmap_area_list"]) {
    const head = symbols.tryAddress(name);
    if (head !== undefined) add(head);
  }
  if (types.tryStruct("vmap_node") === undefined) return found;
  const at = types.offset("vmap_node", "busy.head");
  const lazy = types.tryOffset("vmap_node", "lazy.head");
  const purged = types.tryOffset("vmap_node", "purge_list");
  const pool = types.tryMember("vmap_node", "pool");
  const step = types.tryStruct("vmap_pool")?.size ?? 0;
  for (const head of busy) {
    const node = head - BigInt(at);
    if (lazy !== undefined) add(node + BigInt(lazy));
    if (purged !== undefined) add(node + BigInt(purged));
    if (pool === undefined || step === 0) continue;
    const most = Math.min(Math.floor(pool.size / step), MOST_POOLS);
    for (let i = 0; i < most; i++) {
      const one = node + BigInt(pool.offset + i * step);
      if (space.u64(one) !== one) add(one);
    }
  }
  return found;
}

/** GVAs of the heads of the lists of areas that are in use. */
function heads({ space, symbols, types }: Kernel): bigint[] {
  const size = types.tryStruct("vmap_node")?.size;
  // Later kernels have a list for each CPU (struct vmap_node).
  if (size === undefined) {
    const head = variable(symbols, "vmap_area_list", ["vmap_area_root"]);
    if (head === undefined) {
      throw new KernelError("the kernel's symbols have no vmap_area_list");
    }
    return [head];
  }
  const count = space.u32(symbols.address("nr_vmap_nodes"));
  if (count === 0) {
    throw new KernelError("nr_vmap_nodes says 0: it was changed");
  }
  const first = space.u64(symbols.address("vmap_nodes")) +
    BigInt(types.offset("vmap_node", "busy.head"));
  return allocateList(
    count,
    MOST_NODES,
    "the kernel",
    (i) => first + BigInt(i * size),
    {
      error: () =>
        new KernelError(`nr_vmap_nodes says ${count}: it was changed`),
    },
  );
}
