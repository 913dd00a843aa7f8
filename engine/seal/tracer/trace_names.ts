/**
 * Names of the addresses in a trace, as the kernel that is traced has them
 * now: modules come and go, so they are looked up while tracing.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Names } from "../recording/recording.ts";
import { type Running, unnamedAddresses } from "./running_trace.ts";

/**
 * Names by hex address: `vfs_read+0x1c`, `hooked+0x4 [module]`. Addresses that
 * no symbol covers are left out.
 *
 * @throws {MemoryError} when the guest's module list cannot be read.
 */
export function symbolNames(
  kernel: Kernel,
  addresses: Iterable<bigint>,
): Names {
  const { live, symbols } = kernel;
  live.refresh();
  const names: Record<string, string> = {};
  for (const address of addresses) {
    const symbol = symbols.lookup(address);
    if (symbol === undefined) continue;
    const where = symbol.offset === 0
      ? symbol.name
      : `${symbol.name}+0x${symbol.offset.toString(16)}`;
    names[`0x${address.toString(16)}`] = symbol.module === undefined
      ? where
      : `${where} [${symbol.module}]`;
  }
  return names;
}

/** Puts names into a recording for addresses that have none there. */
export function nameAddresses(running: Running, kernel: Kernel): void {
  const { recording, named } = running;
  if (recording === undefined) return;
  const fresh = unnamedAddresses(running);
  if (fresh.length === 0) return;
  try {
    recording.names(symbolNames(kernel, fresh));
    for (const address of fresh) named.add(address);
  } catch (error) {
    // Read while the guest changes it, or gone: the next time, or none.
    if (!(error instanceof MemoryError)) throw error;
  }
}
