/**
 * Free pages that the page allocator keeps for each CPU.
 *
 * Source: mm/page_alloc.c (order_to_pindex), include/linux/mmzone.h (struct
 * per_cpu_pages). Since Linux 5.13 (44042b449872) these lists also hold blocks
 * of several pages, of which the first one alone is linked.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes } from "../core/lists.ts";
import { readable } from "../core/present.ts";

/** MIGRATE_PCPTYPES: lists of each order. */
const TYPES = 3;
/** PAGE_ALLOC_COSTLY_ORDER: above it there are lists of huge pages alone. */
const COSTLY_ORDER = 3;
/** Order of a huge page (PMD_SHIFT - PAGE_SHIFT). */
const HUGE_ORDER = 9;
/** More blocks than one list holds. */
const MOST_BLOCKS = 1 << 16;
/** More nodes, and zones of each, than any machine has. */
const MOST_NODES = 1024;

/**
 * The blocks of free pages on the lists of all CPUs: order by the GVA of the
 * first page's `struct page`. Lists that change while they are read are left
 * out.
 */
export function cpuFreeBlocks(kernel: Kernel): ReadonlyMap<bigint, number> {
  const { types } = kernel;
  const found = new Map<bigint, number>();
  const lists = types.tryMember("per_cpu_pages", "lists");
  const link = types.tryOffset("page", "lru");
  if (lists === undefined || link === undefined) return found;
  for (const pageset of pagesets(kernel)) {
    for (const offset of kernel.perCpuOffsets) {
      const first = BigInt.asUintN(64, pageset + offset) +
        BigInt(lists.offset);
      for (let i = 0; i < lists.size / 16; i++) {
        const order = Math.floor(i / TYPES);
        for (const node of still(kernel, first + BigInt(16 * i))) {
          found.set(
            node - BigInt(link),
            order <= COSTLY_ORDER ? order : HUGE_ORDER,
          );
        }
      }
    }
  }
  return found;
}

/** The nodes of a list; none when it changes while it is read. */
function still(kernel: Kernel, head: bigint): bigint[] {
  try {
    return listNodes(kernel, head, { limit: MOST_BLOCKS });
  } catch (error) {
    if (error instanceof KernelError || error instanceof MemoryError) return [];
    throw error;
  }
}

/** The per-CPU addresses of all zones' lists. */
function pagesets(kernel: Kernel): bigint[] {
  const { types, space } = kernel;
  const zones = types.tryMember("pglist_data", "node_zones");
  const size = types.tryStruct("zone")?.size;
  const pageset = types.tryOffset("zone", "per_cpu_pageset");
  if (zones === undefined || size === undefined || pageset === undefined) {
    return [];
  }
  const found: bigint[] = [];
  for (const node of nodesOf(kernel)) {
    for (let i = 0; i < zones.size / size; i++) {
      const zone = node + BigInt(zones.offset + i * size);
      const own = readable(() => space.u64(zone + BigInt(pageset)));
      if (own !== undefined && own !== 0n) found.push(own);
    }
  }
  return [...new Set(found)];
}

/** GVAs of the `struct pglist_data` of all NUMA nodes. */
function nodesOf({ symbols, space }: Kernel): bigint[] {
  const only = symbols.tryAddress("contig_page_data");
  if (only !== undefined) return [only];
  const table = symbols.tryAddress("node_data");
  const found: bigint[] = [];
  for (let i = 0; table !== undefined && i < MOST_NODES; i++) {
    const node = readable(() => space.u64(table + BigInt(8 * i)));
    if (node === undefined || node === 0n) break;
    found.push(node);
  }
  return found;
}
