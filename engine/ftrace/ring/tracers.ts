/**
 * The tracers that a kernel has: its list `trace_types` (kernel/trace/trace.c).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { type TraceOption, tracerFlagOptions } from "./trace_options.ts";

/** More tracers than any kernel has. */
const MOST_TRACERS = 64;

/** A tracer, as it was registered. */
export interface TracerType {
  readonly name: string;
  /** Its options, as they are until an instance changes its own. */
  readonly options: readonly TraceOption[];
}

/**
 * The tracers in the kernel's order.
 *
 * @throws {KernelError} when the list is not where it is known to be.
 *
 * @example
 * ```ts ignore
 * import { tracerTypes } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * console.log(tracerTypes(guest.session.kernel).map(({ name }) => name));
 * ```
 */
export function tracerTypes(kernel: Kernel): TracerType[] {
  const at = kernel.symbols.tryAddress("trace_types");
  if (at === undefined) {
    throw new KernelError(
      "this kernel keeps its tracers where xftrace does not know: it has no " +
        "symbol trace_types",
    );
  }
  const found: TracerType[] = [];
  let gva = kernel.space.u64(at);
  while (gva !== 0n) {
    if (found.length >= MOST_TRACERS) {
      throw new KernelError(
        `the guest's list of tracers does not end within ${MOST_TRACERS}: it is damaged`,
      );
    }
    const tracer = kernel.object("tracer", gva);
    // `default_flags` is copied for each instance: seen in 7.2.13, where
    // function and function_graph have it, and `flags` is empty.
    const flags = ["flags", "default_flags"]
      .filter((member) => tracer.has(member))
      .map((member) => tracer.follow(member, "tracer_flags"))
      .find((flags) => flags !== undefined);
    found.push({
      name: tracer.stringAt("name", 64) ?? "",
      options: flags === undefined ? [] : tracerFlagOptions(flags),
    });
    gva = tracer.u64("next");
  }
  return found;
}
