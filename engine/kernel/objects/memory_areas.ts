/**
 * The memory areas of a process.
 *
 * Sources: include/linux/mm_types.h, mm/mmap.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { steady } from "../core/lists.ts";
import { mapleEntries } from "../core/maple_tree.ts";

/** More areas than `vm.max_map_count` allows a process by default. */
const MOST_AREAS = 1 << 20;

/**
 * GVAs of the `struct vm_area_struct`s of a `struct mm_struct`, in address
 * order.
 *
 * @throws {KernelError | MemoryError} when they cannot be followed.
 */
export function memoryAreas(kernel: Kernel, mm: bigint): bigint[] {
  const at = kernel.object("mm_struct", mm);
  // Since 6.1 (524e00b36e8c) they are in a maple tree; before that, in a list.
  if (at.has("mm_mt")) {
    return steady(() => mapleEntries(kernel, at.at("mm_mt")))
      .map(({ entry }) => entry);
  }
  const next = BigInt(kernel.types.offset("vm_area_struct", "vm_next"));
  return steady(() => {
    const areas: bigint[] = [];
    for (let area = at.u64("mmap"); area !== 0n;) {
      if (areas.length >= MOST_AREAS) {
        throw new KernelError(
          `the memory areas of the mm_struct at 0x${
            mm.toString(16)
          } do not end: damaged or in flux`,
        );
      }
      areas.push(area);
      area = kernel.space.u64(area + next);
    }
    return areas;
  });
}
