/**
 * What files for other tools contain about a guest: formats of events, names of
 * functions.
 *
 * @module
 */
import type { TraceEvents } from "../ftrace/events/events.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Symbols } from "../kernel/symbols/symbols.ts";
import { formatFileText } from "../tracedat/format_file.ts";
import type { TraceFileFacts } from "./writer.ts";

/**
 * Describes a guest for formats that are files for other tools.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 * import { traceFileFacts } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events } = openInstance(guest.session);
 * console.log(traceFileFacts(instance, events).clock); // [local]
 * ```
 */
export function traceFileFacts(
  instance: TraceArray,
  events: TraceEvents,
): TraceFileFacts {
  const { kernel } = instance;
  return {
    longSize: 8,
    little: true,
    clock: `[${instance.clock.name}]`,
    uname: `Linux guest ${kernel.facts.release} ${kernel.arch.name}`,
    instance: instance.name ?? "",
    formats: () =>
      events.all().flatMap(({ id, system }) => {
        const format = events.format(id);
        return format === undefined
          ? []
          : [{ system, text: formatFileText(format) }];
      }),
    kallsyms: () => kallsymsText(kernel.symbols),
  };
}

/** All symbols, in the order of their addresses, as /proc/kallsyms shows them. */
function kallsymsText(symbols: Symbols): string {
  const lines: string[] = [];
  const seen = new Set<string>();
  for (const name of symbols.glob("*")) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const address of symbols.addresses(name)) {
      const module = symbols.lookup(address)?.module;
      lines.push(
        `${address.toString(16).padStart(16, "0")} t ${name}${
          module === undefined ? "" : `\t[${module}]`
        }`,
      );
    }
  }
  // All begin with as many digits.
  lines.sort();
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
