/**
 * BPF programs that no list of the kernel's has: those that were given in the
 * classic form (socket filters, seccomp) are in none, and have memory of their
 * own in kernels without program packs.
 *
 * Sources: kernel/bpf/core.c (bpf_prog_alloc_no_stats, bpf_jit_binary_alloc),
 * mm/vmalloc.c (vmap_area_list, up to 6.8).
 *
 * @module
 */
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";
import { readable } from "../core/present.ts";

/** VM_ALLOC (linux/vmalloc.h): memory that was allocated, and no device's. */
const ALLOCATED = 2n;

/**
 * The compiled code of the programs that lie in memory of their own, in kernels
 * without program packs (before 57631054fae6, "bpf: Introduce bpf_prog_pack
 * allocator", 5.18); none in others. A program is what its own `bpf_prog_aux`
 * calls its program.
 *
 * @throws {KernelError | MemoryError} when the list of such memory cannot be
 * read.
 */
export function ownMemoryPrograms(kernel: Kernel): GvaRange[] {
  const { symbols, types, moduleRegion } = kernel;
  const head = symbols.tryAddress("vmap_area_list");
  if (head === undefined || symbols.tryAddress("pack_list") !== undefined) {
    return [];
  }
  const link = BigInt(types.offset("vmap_area", "list"));
  const aux = BigInt(types.offset("bpf_prog_aux", "prog"));
  const found: GvaRange[] = [];
  for (const node of steady(() => listNodes(kernel, head))) {
    // What is freed meanwhile has no code any more.
    const range = readable(() => {
      const area = kernel.object("vmap_area", node - link);
      const vm = area.u64("vm");
      if (vm === 0n) return undefined;
      const memory = kernel.object("vm_struct", vm);
      const gva = memory.u64("addr");
      if (gva === 0n || (memory.u64("flags") & ALLOCATED) === 0n) {
        return undefined;
      }
      const program = kernel.object("bpf_prog", gva);
      const its = program.u64("aux");
      if (its === 0n || kernel.space.tryTranslate(its) === undefined) {
        return undefined;
      }
      if (kernel.space.u64(its + aux) !== gva) return undefined;
      const start = program.u64("bpf_func");
      const end = start + BigInt(program.number("jited_len"));
      return { start, end };
    });
    if (
      range !== undefined && range.end > range.start &&
      range.start >= moduleRegion.start && range.end <= moduleRegion.end
    ) found.push(range);
  }
  return found;
}
