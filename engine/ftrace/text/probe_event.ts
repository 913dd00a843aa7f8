/**
 * Events made at run time by kprobes and uprobes: their print_fmt shows raw
 * addresses where the kernel's own text has names
 * (kernel/trace/trace_kprobe.c, print_kprobe_event).
 *
 * @module
 */

import type { EventFormat } from "../formats.ts";
import type { TextEnvironment } from "./environment.ts";
import { compilePrintFmt, type Renderer } from "./print_fmt/render.ts";

/**
 * Compiles an event's text, the event's name left out: by its print_fmt,
 * with the kernel's symbols put in for probes.
 */
export function compileEvent(
  format: EventFormat,
  env: TextEnvironment,
): Renderer {
  return compilePrintFmt(
    { ...format, printFmt: withSymbols(format.printFmt) },
    env,
  ).render;
}

/** `"(%lx)", REC->__probe_ip` shows the symbol in the kernel's text. */
function withSymbols(printFmt: string): string {
  if (printFmt.startsWith('"(%lx <- %lx)')) {
    // A return probe: where it returned to, and from which function.
    return printFmt
      .replace('"(%lx <- %lx)', '"(%pS <- %ps)')
      .replace(
        "REC->__probe_func, REC->__probe_ret_ip",
        "REC->__probe_ret_ip, REC->__probe_func",
      );
  }
  return printFmt.startsWith('"(%lx)') && printFmt.includes("REC->__probe_ip")
    ? printFmt.replace('"(%lx)', '"(%pS)')
    : printFmt;
}
