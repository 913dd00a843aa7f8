/**
 * Opens an Ftrace instance together with what is needed to read it.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { TraceEvents } from "../events/events.ts";
import { type TraceLayout, traceLayout } from "./meta.ts";
import { TraceArray } from "./trace_array.ts";

/** An instance with the kernel's events and layouts. */
export interface OpenInstance {
  readonly instance: TraceArray;
  readonly events: TraceEvents;
  readonly layout: TraceLayout;
}

/**
 * Opens an instance by name (default: the top-level one).
 *
 * @throws {KernelError} when there is no such instance.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance } = openInstance(guest.session);
 * console.log(instance.tracer, instance.recording, instance.clock.name);
 * ```
 */
export function openInstance(
  { kernel }: { readonly kernel: Kernel },
  name?: string,
): OpenInstance {
  return {
    instance: TraceArray.named(kernel, name),
    events: new TraceEvents(kernel),
    layout: traceLayout(kernel.types),
  };
}
