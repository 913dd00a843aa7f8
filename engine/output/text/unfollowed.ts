/**
 * Names the settings of a guest that affect its own trace file but are not
 * supported here, so that the user is informed.
 *
 * @module
 */

import type { EventFormat } from "../../ftrace/events/formats.ts";
import { LATENCY_TRACERS } from "../../ftrace/ring/trace_array.ts";
import type { TextEnvironment } from "./environment.ts";
import type { TraceTextOptions } from "./options.ts";
import { compilePrintFmt } from "./print_fmt/render.ts";

/** Tracers that print their own lines (`tracer.print_line`). */
export const OWN_LINES: ReadonlySet<string> = new Set(["blk", "mmiotrace"]);

/**
 * A sentence for each way in which the text differs from the guest's own; empty
 * if everything is supported.
 *
 * @param tracer name of the current tracer
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 * import { guestTextOptions, unfollowedSettings } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance } = openInstance(guest.session);
 * console.log(unfollowedSettings(instance.tracer, guestTextOptions(instance)));
 * ```
 */
export function unfollowedSettings(
  tracer: string,
  options: TraceTextOptions,
): string[] {
  const found: string[] = [];
  if (options.symUserobj) {
    found.push(
      "the guest's trace option sym-userobj is not followed: its own trace " +
        "file names the files in user stacks, here their addresses are shown",
    );
  }
  if (options.displayGraph && LATENCY_TRACERS.test(tracer)) {
    found.push(
      `the guest's trace option display-graph is not followed: its own trace ` +
        `file draws ${tracer} as a graph, here its entries are shown one by one`,
    );
  }
  if (OWN_LINES.has(tracer)) {
    found.push(
      `the guest's tracer ${tracer} has lines of its own, which are not ` +
        "followed: its entries are shown as of unknown type",
    );
  }
  if (options.showsReader) {
    found.push(
      "the guest's trace option fields is not followed for pointers to " +
        "strings: its own trace file shows addresses of its reader, here the " +
        "pointers are shown",
    );
  }
  for (const name of options.unknownEntries ?? []) {
    found.push(
      `this kernel's tracers may write entries of the type ${name}, which is ` +
        "not known to xftrace: such entries are shown as of unknown type",
    );
  }
  for (const name of options.unknown ?? []) {
    found.push(
      `the guest's trace option ${name} is not known to xftrace: its own trace ` +
        "file may differ from the text here",
    );
  }
  return found;
}

/**
 * Why an event's entries are shown as raw fields; `undefined` if they are
 * rendered in the same way as by the kernel.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 * import { rawReason, traceMeta } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * const meta = traceMeta(instance, events, layout);
 * const found = events.find("sched:sched_switch");
 * const format = found && events.format(found.id);
 * console.log(format && rawReason(format, meta)); // undefined: as the kernel does
 * ```
 */
export function rawReason(
  format: EventFormat,
  env: TextEnvironment,
): string | undefined {
  // System calls are printed by their arguments, not by their print_fmt.
  if (format.syscall !== undefined) return undefined;
  return compilePrintFmt(format, env).failure;
}
