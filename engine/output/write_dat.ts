/**
 * Passes the events of a trace.dat to a writer.
 *
 * @module
 */
import { archNamed } from "../arch/all.ts";
import { XftraceError } from "../base/errors.ts";
import type { EventFormat } from "../ftrace/events/formats.ts";
import type { SymbolAt } from "../kernel/symbols/symbols.ts";
import type { DatBuffer } from "../tracedat/dat_parts.ts";
import type {
  DatReading,
  DatSelection,
  DatTrace,
} from "../tracedat/dat_trace.ts";
import { turnEntry } from "../tracedat/dat_decoder.ts";
import { eventFormat, formatFileText } from "../tracedat/format_file.ts";
import type { TraceMeta } from "./text/environment.ts";
import { DEFAULT_TEXT_OPTIONS } from "./text/options.ts";
import { FLAGS_BEFORE_LAZY } from "./text/guest/entry_flags.ts";
import { textSymbols } from "./text/symbol_names.ts";
import type { RecordBytes } from "./text/record.ts";
import { bprintText } from "./tracecmd/bprint_args.ts";
import { EventText } from "./tracecmd/event_text.ts";
import { readNumber } from "./tracecmd/print_values.ts";
import { bytesOf, tracecmdGuest } from "./tracecmd/write_report.ts";
import {
  EventRun,
  type TraceFileFacts,
  type TraceSource,
  type TraceTotals,
  type TraceWriter,
} from "./writer.ts";

/** What to write of a trace.dat. */
export interface WriteDatOptions extends DatSelection {
  /** As the user names it. */
  readonly target?: string;
}

/** Describes a trace.dat as guests are described to writers. */
export function datMeta(trace: DatTrace): TraceMeta {
  const { header, layout, functions } = trace;
  const guest = tracecmdGuest(trace);
  const formats = new Map<number, EventFormat | undefined>();
  const { types } = layout.trace;
  return {
    // What only one architecture has is not used for events from a file.
    arch: archNamed(),
    layout: layout.trace,
    pageSize: header.pageSize,
    tracer: types.graphEnt >= 0 ? "function_graph" : "nop",
    nrCpuIds: header.cpuCount,
    onlineCpus: header.cpuCount,
    clockInNs: trace.inNs,
    timeStart: 0n,
    symbols: textSymbols({
      lookup(address): SymbolAt | undefined {
        const found = functions.find(address);
        return found === undefined ? undefined : {
          ...found,
          offset: Number(address - found.address),
        };
      },
    }),
    comm: (pid) => {
      const comm = trace.comms.get(pid);
      return comm === undefined ? undefined : bytesOf(comm);
    },
    tgid: () => 0,
    // A file does not tell them; trace-cmd reads them so.
    entryFlags: () => FLAGS_BEFORE_LAZY,
    format(id) {
      if (!formats.has(id)) {
        const event = layout.events.get(id);
        formats.set(id, event === undefined ? undefined : eventFormat(event));
      }
      return formats.get(id);
    },
    string: (lo, hi) => {
      const escaped = guest.text(BigInt(hi) << 32n | BigInt(lo));
      return escaped?.replace(
        /\\(.)/g,
        (_, char) => char === "n" ? "\n" : char === "t" ? "\t" : char,
      );
    },
    ...(header.uname === undefined ? {} : { release: releaseOf(header.uname) }),
  };
}

/** The release in a text like that of `uname -a`: `Linux host 6.1.0-13 ...`. */
function releaseOf(uname: string): string {
  return uname.split(" ")[2] ?? uname;
}

/** What a file that is converted has in common with the one it is made of. */
function fileFacts(trace: DatTrace, instance: string): TraceFileFacts {
  const { header, layout } = trace;
  const { little, longSize, clock, uname } = header;
  return {
    longSize,
    little,
    // Ticks of the TSC have been converted to ns.
    clock: `[${header.tsc !== undefined ? "tsc2nsec" : clock ?? "local"}]`,
    ...(uname === undefined ? {} : { uname }),
    instance,
    formats: () =>
      header.events.map((event) => ({
        system: event.system,
        text: bytesOf(formatFileText(eventFormat(event), event.common)),
      })),
    kallsyms: () => bytesOf(header.kallsyms),
    message: messageReader(trace),
    ...(little ? {} : {
      turn: (view, at, length, type) =>
        turnEntry(
          view,
          at,
          length,
          layout.events.get(type),
          layout.common,
          true,
        ),
    }),
  };
}

/**
 * Describes the top level of a trace.dat as a source of events.
 *
 * @param target as the user names it
 *
 * @example
 * ```ts ignore
 * import { DatTrace } from "xftrace/ftrace";
 * import { datSource } from "xftrace/output";
 *
 * using trace = DatTrace.open("host.dat");
 * console.log(datSource(trace, "host").meta.onlineCpus);
 * ```
 */
export function datSource(trace: DatTrace, target: string): TraceSource {
  return {
    kind: "collected",
    target,
    meta: datMeta(trace),
    options: DEFAULT_TEXT_OPTIONS,
    file: fileFacts(trace, ""),
  };
}

/** Reads what `trace_printk` and `trace_puts` wrote. */
function messageReader(trace: DatTrace): (bytes: RecordBytes) => string {
  const { layout } = trace;
  const { bprint, bputs } = layout.trace.types;
  const guest = tracecmdGuest(trace);
  const event = layout.events.get(bprint);
  const text = event === undefined ? undefined : new EventText(event, guest);
  return (bytes) => {
    if (text !== undefined && bytes.u16(0) === bprint) {
      // The name of the function that called it comes first.
      return bprintText(bytes, guest, text).replace(/^[^:]*: /, "");
    }
    const str = layout.events.get(bputs)?.fields.find(({ name }) =>
      name === "str"
    );
    return str === undefined
      ? ""
      : guest.text(readNumber(bytes, str.offset, str.size)) ?? "";
  };
}

/**
 * Writes a trace.dat: begins it, passes on all events, and ends it. Each
 * instance is a source of its own.
 *
 * @throws {XftraceError} when it holds text instead of events.
 *
 * @example
 * ```ts ignore
 * import { DatTrace } from "xftrace/ftrace";
 * import { formatNamed, writeDat } from "xftrace/output";
 *
 * using trace = DatTrace.open("trace.dat");
 * let text = "";
 * writeDat(trace, formatNamed("jsonl").writer((chunk) => text += chunk));
 * ```
 */
export function writeDat(
  trace: DatTrace,
  writer: TraceWriter,
  options: WriteDatOptions = {},
): TraceTotals & Pick<DatReading, "problems" | "damaged"> {
  const { buffers, path } = trace.header;
  if (buffers.some(({ text }) => text !== undefined)) {
    throw new XftraceError(
      `${path} holds the text of a latency tracer, and no events; \`report\` prints it`,
    );
  }
  const meta = datMeta(trace);
  const target = options.target ?? `dat:${path}`;
  const sources = new Map<DatBuffer, TraceSource>();
  for (const buffer of buffers) {
    if (options.instance !== undefined && buffer.name !== options.instance) {
      continue;
    }
    sources.set(buffer, {
      kind: "collected",
      target: buffer.name === "" ? target : `${target} (${buffer.name})`,
      meta,
      options: DEFAULT_TEXT_OPTIONS,
      file: fileFacts(trace, buffer.name),
    });
  }
  const [first, ...others] = sources.values();
  if (first === undefined) {
    throw new XftraceError(
      options.instance === undefined
        ? `${path} holds no events: it has no buffers`
        : `${path} has no instance ${JSON.stringify(options.instance)}`,
    );
  }
  writer.begin([first, ...others]);
  let run: EventRun | undefined;
  const { events, lost, problems, damaged } = trace.read({
    events({ buffer, columns, arena, from, to }) {
      const source = sources.get(buffer)!;
      run ??= new EventRun(source, columns, arena);
      Object.assign(run, { source, columns, arena, from, to, tookNext: false });
      writer.events(run);
    },
    lost({ buffer, cpu, count, before }) {
      writer.lost({ source: sources.get(buffer)!, cpu, count, before });
    },
  }, options);
  const totals = { events, lost, dropped: 0 };
  writer.end(totals);
  return { ...totals, problems, damaged };
}
