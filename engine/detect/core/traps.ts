/**
 * Executable memory in which nothing stands but instructions that trap: what the
 * kernel's cache of executable memory has not given away (execmem_fill_trapping_insns,
 * arch/x86/mm/init.c), since Linux 6.13.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";

/** More parts of one range are not told apart. */
const MOST_PARTS = 64;

/** Whether the page at a GVA holds traps alone; not when it cannot be read. */
export function isTraps(kernel: Kernel, gva: bigint): boolean {
  const page = BigInt(kernel.pageSize);
  const { instructions } = kernel.arch;
  try {
    return kernel.space.bytes(gva / page * page, kernel.pageSize)
      .every((byte) => instructions.isTrap(byte));
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}

/** The parts of a range, in whole pages, that hold anything but traps. */
export function withoutTraps(
  kernel: Kernel,
  { start, end }: GvaRange,
): GvaRange[] {
  const page = BigInt(kernel.pageSize);
  const parts: { start: bigint; end: bigint }[] = [];
  for (let gva = start; gva < end; gva += page - gva % page) {
    kernel.space.budget.node(gva);
    if (isTraps(kernel, gva)) continue;
    const next = gva + page - gva % page;
    const last = parts.at(-1);
    if (last?.end === gva) last.end = next;
    else if (parts.length === MOST_PARTS) {
      return [...parts.slice(0, -1), { start: last?.start ?? gva, end }];
    } else parts.push({ start: gva, end: next });
  }
  return parts.map((part) => part.end > end ? { ...part, end } : part);
}
