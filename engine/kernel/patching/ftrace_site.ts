/**
 * The address by which Ftrace knows a function, and whether Ftrace is currently
 * called there.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";

/** The call site that Ftrace patches in a function. */
export interface FtraceSite {
  /** GVA by which Ftrace knows the function (`dyn_ftrace.ip`). */
  readonly ip: bigint;
  /**
   * Whether the function calls Ftrace now; if not, nothing is recorded for it.
   */
  readonly calls: boolean;
}

/**
 * Finds the call site of a function.
 *
 * @param gva GVA of the function's symbol
 * @returns `undefined` when the function cannot be traced.
 * @throws {MemoryError} when its text cannot be read.
 */
export function ftraceSite(
  kernel: Kernel,
  gva: bigint,
): FtraceSite | undefined {
  const { ftraceSites } = kernel.arch;
  const found = ftraceSites.find(kernel.space.bytes(gva, ftraceSites.lookAt));
  return found === undefined
    ? undefined
    : { ip: gva + BigInt(found.offset), calls: found.calls };
}
