/**
 * Where Ftrace knows a function, and whether it is called there now.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";

/** The place in a function that Ftrace patches. */
export interface FtraceSite {
  /** GVA by which Ftrace knows the function (`dyn_ftrace.ip`). */
  readonly ip: bigint;
  /** Whether the function calls Ftrace now; else nothing is recorded of it. */
  readonly calls: boolean;
}

/**
 * The place by which Ftrace knows a function.
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
