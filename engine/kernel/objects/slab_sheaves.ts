/**
 * Free objects of a slab cache that are kept in arrays, called sheaves, and so
 * are not on any slab's own list.
 *
 * Source: mm/slub.c (struct slub_percpu_sheaves, struct node_barn), since Linux
 * 6.18.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";
import type { KernelObject } from "../core/object.ts";
import { readable } from "../core/present.ts";

/** More objects than a sheaf holds. */
const MOST_OBJECTS = 1024;
/** More sheaves than a node keeps (MAX_FULL_SHEAVES is 10). */
const MOST_SHEAVES = 64;
/** More NUMA nodes than any machine has. */
const MOST_NODES = 1024;

/**
 * GVAs of the free objects that a `struct kmem_cache` keeps in sheaves, of each
 * CPU and node; none in kernels without them.
 */
export function sheafObjects(
  kernel: Kernel,
  cache: KernelObject,
): ReadonlySet<bigint> {
  const free = new Set<bigint>();
  if (!cache.has("cpu_sheaves")) return free;
  const capacity = Math.min(MOST_OBJECTS, cache.number("sheaf_capacity"));
  const take = (gva: bigint) => {
    if (gva === 0n) return;
    const sheaf = kernel.object("slab_sheaf", gva);
    // One of another cache would take that one's objects out of a search.
    if (sheaf.u64("cache") !== cache.gva) return;
    const size = Math.min(capacity, sheaf.number("size"));
    const first = sheaf.at("objects");
    for (let i = 0; i < size; i++) {
      kernel.space.budget.node(first);
      const object = kernel.space.u64(first + BigInt(8 * i));
      if (object !== 0n) free.add(object);
    }
  };
  const perCpu = cache.u64("cpu_sheaves");
  for (const offset of kernel.perCpuOffsets) {
    const own = kernel.object(
      "slub_percpu_sheaves",
      BigInt.asUintN(64, perCpu + offset),
    );
    for (const member of ["main", "spare", "rcu_free"]) {
      readable(() => take(own.u64(member)));
    }
  }
  for (const barn of barns(kernel, cache)) {
    readable(() => {
      const link = BigInt(kernel.types.offset("slab_sheaf", "barn_list"));
      const head = kernel.object("node_barn", barn).at("sheaves_full");
      const limits = { limit: MOST_SHEAVES };
      for (const node of steady(() => listNodes(kernel, head, limits))) {
        take(node - link);
      }
    });
  }
  return free;
}

/** GVAs of a cache's `struct node_barn`, one a node. */
function barns(kernel: Kernel, cache: KernelObject): bigint[] {
  const { types } = kernel;
  const step = types.tryStruct("kmem_cache_per_node_ptrs")?.size;
  const barn = types.tryOffset("kmem_cache_per_node_ptrs", "barn");
  if (step === undefined || barn === undefined || !cache.has("per_node")) {
    return [];
  }
  const found: bigint[] = [];
  const first = cache.at("per_node") + BigInt(barn);
  for (let i = 0; i < MOST_NODES; i++) {
    const at = readable(() => kernel.space.u64(first + BigInt(i * step)));
    if (at === undefined || at === 0n) break;
    found.push(at);
  }
  return found;
}
