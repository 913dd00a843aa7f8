/**
 * Finds out whether the guest has the module loaded, and whether a run can use
 * it.
 *
 * @module
 */
import { KernelError, MemoryError } from "../base/errors.ts";
import { usesSharedFilter } from "../control/module_commands.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { CONFIG, CONTROL, MAX_ROOTS } from "../seal/page/abi.ts";
import { ControlPage } from "../seal/page/control_page.ts";
import type { ModuleFacts } from "../query/facts.ts";

/** Reads the module's capabilities; `undefined` when it is not loaded. */
export function readModuleFacts(
  kernel: Kernel,
  tracer: string,
): ModuleFacts | undefined {
  // A shared filter allows only one user at a time.
  const sharedFilter = usesSharedFilter(kernel);
  const facts: Pick<
    ModuleFacts,
    "seal" | "maxRoots" | "maxFunctions" | "sharedFilter"
  > = {
    seal: "siphash+ratchet",
    maxRoots: MAX_ROOTS,
    maxFunctions: 0,
    sharedFilter,
  };
  let page: ControlPage | undefined;
  try {
    page = ControlPage.find(kernel);
  } catch (error) {
    if (!(error instanceof KernelError) && !(error instanceof MemoryError)) {
      throw error;
    }
    return {
      ...facts,
      tracefs: false,
      page: 0n,
      ringEntries: 0,
      problem: error.message,
    };
  }
  if (page === undefined) return undefined;
  const busy = page.u32(CONTROL.enabled) !== 0;
  const problem = busy
    ? "the guest's module is recording for somebody else (`xftrace off` ends a trace of `xftrace on`)"
    : sharedFilter && tracer !== "nop"
    ? `the guest's tracer is ${tracer}, and this kernel allows only one user of the function graph at a time`
    : undefined;
  return {
    ...facts,
    // While the module is recording, its mailbox belongs to whoever switched it
    // on.
    tracefs: !busy,
    page: page.gva,
    ringEntries: page.cpus[0]?.entries ?? 0,
    maxFunctions: Math.floor((page.mailBytes - CONFIG.bytes) / 8) - MAX_ROOTS,
    ...(problem === undefined ? {} : { problem }),
  };
}
