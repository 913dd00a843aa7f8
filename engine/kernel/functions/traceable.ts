/**
 * The functions that Ftrace can trace: those in tracefs'
 * `available_filter_functions`.
 *
 * @module
 */
import { callSites, SITE } from "../patching/ftrace_ops.ts";
import type { Kernel } from "../core/kernel.ts";

/** A function that can be traced. */
export interface TraceableFunction {
  readonly name: string;
  /** Name of its module; `undefined` for a function of the kernel itself. */
  readonly module?: string;
  /** GVA of its call to Ftrace. */
  readonly ip: bigint;
  /** Whether it is being traced now. */
  readonly enabled: boolean;
}

/**
 * All functions that can be traced, in the kernel's order. Static functions
 * that share a name are all listed.
 *
 * @throws {KernelError} when the kernel's records are damaged.
 */
export function traceableFunctions(kernel: Kernel): TraceableFunction[] {
  const sites = callSites(kernel);
  // The call sites of weak functions that the linker dropped appear after the
  // start of another function, farther than any real call site.
  const furthest = Math.max(...kernel.arch.ftraceSites.offsets);
  const found: TraceableFunction[] = [];
  for (let i = 0; i < sites.count; i++) {
    const flags = sites.flags[i];
    if ((flags & SITE.disabled) !== 0) continue;
    const ip = (BigInt(sites.ip[2 * i + 1]) << 32n) | BigInt(sites.ip[2 * i]);
    const symbol = kernel.symbols.lookup(ip);
    if (symbol === undefined || symbol.offset > furthest) continue;
    found.push({
      name: symbol.name,
      ...(symbol.module === undefined ? {} : { module: symbol.module }),
      ip,
      enabled: (flags & SITE.enabled) !== 0,
    });
  }
  return found;
}
