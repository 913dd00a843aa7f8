/**
 * The user memory of a process, as far as it is in RAM.
 *
 * @module
 */
import { AddressSpace } from "../../memory/address_space.ts";
import type { Kernel } from "../core/kernel.ts";

/**
 * The address space of a `struct mm_struct`.
 *
 * @returns `undefined` when it has no page tables, for example because the
 * process has ended.
 * @throws {MemoryError} when it cannot be read.
 */
export function userSpace(
  kernel: Kernel,
  mm: bigint,
): AddressSpace | undefined {
  const { space } = kernel;
  const pgd = kernel.object("mm_struct", mm).u64("pgd");
  return pgd === 0n ? undefined : new AddressSpace(
    space.tables.ofProcess(space.translate(pgd).gpa),
    space.budget,
  );
}
