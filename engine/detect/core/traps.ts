/**
 * Executable memory in which nothing stands but instructions that trap: what the
 * kernel's cache of executable memory has not given away, since Linux 6.13
 * (execmem_fill_trapping_insns, mm/execmem.c).
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";

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
