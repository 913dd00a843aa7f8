/**
 * Renders events created at run time, which the kernel does not print according
 * to their print_fmt: those of kprobes and uprobes show addresses by name
 * (kernel/trace/trace_kprobe.c, print_kprobe_event), and synthetic events have
 * no commas (trace_events_synth.c, print_synth_event).
 *
 * @module
 */

import type { EventFormat } from "../../ftrace/events/formats.ts";
import type { EntryWriter } from "./entries.ts";
import type { TextEnvironment } from "./environment.ts";
import { PROBE_STRING } from "./print_fmt/helpers.ts";
import {
  type CompiledPrintFmt,
  compilePrintFmt,
  type Renderer,
} from "./print_fmt/render.ts";

/**
 * Compiles the text of an event without its name but with its newline: by its
 * print_fmt, adapted for events created at run time.
 *
 * @param verbose whether the formats of a synthetic event's fields are shown
 * (option `verbose`)
 */
export function compileEvent(
  format: EventFormat,
  env: TextEnvironment,
  verbose = false,
): Renderer {
  return compiled(format, env, verbose).render;
}

/** The same as bytes, with a text before it. */
export function compileEventWriter(
  format: EventFormat,
  env: TextEnvironment,
  { verbose = false, before = "" }: {
    readonly verbose?: boolean;
    readonly before?: string;
  } = {},
): EntryWriter {
  return compiled(format, env, verbose, before).write;
}

function compiled(
  format: EventFormat,
  env: TextEnvironment,
  verbose: boolean,
  before = "",
): CompiledPrintFmt {
  const own = format.system === "synthetic"
    ? synthetic(format, verbose)
    : format.probed === undefined
    ? probeFormat(format.printFmt)
    : eventProbe(format.printFmt, format.probed);
  if (own === undefined) return compilePrintFmt(format, env, before);
  // The kernel prints these events itself, so nothing checks or overwrites
  // their format.
  const plain = { ...env, checksStrings: false };
  return compilePrintFmt({ ...format, printFmt: own }, plain, before);
}

/**
 * `"a=%d, b=%s", REC->a, REC->b` with a space between the fields, whatever
 * separates them in the print_fmt (a comma up to 6.12, a space in 7.2).
 */
function synthetic(
  { printFmt, fields }: Pick<EventFormat, "printFmt" | "fields">,
  verbose: boolean,
): string {
  // The kernel adds the names of these flags, which the print_fmt has not.
  if (fields.some(({ type }) => type === "gfp_t")) {
    return `${printFmt}, __gfp_flags()`;
  }
  const end = printFmt.indexOf('"', 1);
  const parts = printFmt.slice(1, end).split(/(?:, | )(?=\w+=%)/);
  const args = printFmt.slice(end + 1).split(", ").slice(1);
  const text = parts.map((part, i) => {
    // Each field's own format precedes it: `%llu delay=289510`.
    const own = verbose ? part.replace(/^\w+=%(\S+)$/, "%%$1 $&") : part;
    const last = i === parts.length - 1;
    // Each line of a stack ends with a line end, also the last one.
    const isStack = args[i]?.startsWith("__get_stacktrace(") === true;
    return own + (last || isStack ? "" : " ");
  });
  return `"${text.join("")}"${printFmt.slice(end + 1)}`;
}

/** `" file=\"%s\"", ...`: the event that is probed comes first. */
function eventProbe(printFmt: string, probed: string): string {
  return `"(${probed.replaceAll(/[%"\\]/g, "?")})${
    withFaults(printFmt).slice(1)
  }`;
}

/**
 * A probe's print_fmt, changed to show symbols for addresses; `undefined` for
 * other events.
 */
function probeFormat(printFmt: string): string | undefined {
  const strings = withFaults(printFmt);
  if (printFmt.startsWith('"(%lx <- %lx)')) {
    // A return probe: the place to which it returned, and the function from
    // which it returned.
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

/** A string that could not be fetched is shown as `(fault)` without quotes. */
function withFaults(printFmt: string): string {
  return printFmt
    .replaceAll('\\"%s\\"', "%s")
    .replaceAll("__get_str(", `${PROBE_STRING}(`);
}
