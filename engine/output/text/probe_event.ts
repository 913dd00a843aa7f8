/**
 * Events made at run time, which the kernel prints otherwise than their
 * print_fmt says: those of kprobes and uprobes have names for addresses
 * (kernel/trace/trace_kprobe.c, print_kprobe_event), synthetic ones no commas
 * (trace_events_synth.c, print_synth_event).
 *
 * @module
 */

import type { EventFormat } from "../../ftrace/events/formats.ts";
import type { TextEnvironment } from "./environment.ts";
import { PROBE_STRING } from "./print_fmt/helpers.ts";
import { compilePrintFmt, type Renderer } from "./print_fmt/render.ts";

/**
 * Compiles an event's text, the event's name left out, its newline included:
 * by its print_fmt, for probes with what the kernel's own text has instead.
 *
 * @param verbose whether a synthetic event's formats are shown (option
 *   `verbose`)
 */
export function compileEvent(
  format: EventFormat,
  env: TextEnvironment,
  verbose = false,
): Renderer {
  const own = format.system === "synthetic"
    ? synthetic(format.printFmt, verbose)
    : probeFormat(format.printFmt);
  if (own === undefined) return compilePrintFmt(format, env).render;
  // They print by themselves: nothing checks or overwrites their format.
  const plain = { ...env, checksStrings: false };
  return compilePrintFmt({ ...format, printFmt: own }, plain).render;
}

/** `"a=%d, b=%s", REC->a, REC->b` with a space between the fields. */
function synthetic(printFmt: string, verbose: boolean): string {
  const end = printFmt.indexOf('"', 1);
  let fields = printFmt.slice(0, end).replaceAll(", ", " ");
  // Each field's own format goes before it: `%llu delay=289510`.
  if (verbose) fields = fields.replace(/\w+=%(\S+)/g, "%%$1 $&");
  return fields + printFmt.slice(end);
}

/** A probe's print_fmt with symbols for addresses; `undefined` for others. */
function probeFormat(printFmt: string): string | undefined {
  const strings = withFaults(printFmt);
  if (printFmt.startsWith('"(%lx <- %lx)')) {
    // A return probe: where it returned to, and from which function.
    return strings
      .replace('"(%lx <- %lx)', '"(%pS <- %ps)')
      .replace(
        "REC->__probe_func, REC->__probe_ret_ip",
        "REC->__probe_ret_ip, REC->__probe_func",
      );
  }
  return printFmt.startsWith('"(%lx)') && printFmt.includes("REC->__probe_ip")
    ? strings.replace('"(%lx)', '"(%pS)')
    : undefined;
}

/** A string that could not be fetched shows as `(fault)`, without quotes. */
function withFaults(printFmt: string): string {
  return printFmt
    .replaceAll('\\"%s\\"', "%s")
    .replaceAll("__get_str(", `${PROBE_STRING}(`);
}
