/**
 * A trace as text, line by line as in the guest's own `trace` file.
 *
 * @module
 */

import {
  type EventColumns,
  KIND,
  type PageArena,
} from "../../ftrace/ring/columns.ts";
import type { TextEnvironment, TraceMeta } from "./environment.ts";
import { TaskText } from "./context.ts";
import { type FlagWriter, flagWriter } from "./guest/entry_flags.ts";
import { ClockText, overheadMark } from "./duration.ts";
import { type EntryRenderer, StandardEntries } from "./entries.ts";
import { escapedBody, escapedMeta } from "./escaped_meta.ts";
import { fieldsRenderer } from "./event_fields.ts";
import { GraphText } from "./graph_text.ts";
import { type EntryCounts, traceHeader } from "./header.ts";
import type { TraceTextOptions } from "./options.ts";
import { compileEvent } from "./probe_event.ts";
import { RawEntries, rawForm } from "./raw_entries.ts";
import { RecordBytes } from "./record.ts";
import { syscallRenderer } from "./syscall.ts";

/** What the text of a trace depends on, besides its options. */
export interface TraceTextRun {
  /**
   * Entries overwritten so far on all CPUs. If there are any, the kernel marks
   * where each CPU's buffer starts (option `annotate`). Default 0.
   */
  readonly overruns?: number;
  /**
   * CPUs that had entries older than `time_start`, which were skipped: the
   * starts of their buffers are not marked.
   */
  readonly skippedCpus?: ReadonlySet<number>;
  /** Whether the guest's texts are escaped; default: they are left as they are. */
  readonly escaped?: boolean;
}

/**
 * Renders the events of a trace as lines. The object keeps the state that the
 * kernel keeps while a file is being read (which task ran last, which functions
 * were entered).
 *
 * In a live trace, an entry whose return has not been seen yet is drawn as
 * `func() {`, as in the kernel's `trace_pipe`.
 */
export class TraceText {
  readonly #meta: TraceMeta;
  readonly #options: TraceTextOptions;
  readonly #env: TextEnvironment;
  readonly #tasks: TaskText;
  readonly #flags: FlagWriter;
  readonly #entries: StandardEntries;
  /** Set with the options `raw`, `hex` or `bin`. */
  readonly #raw: RawEntries | undefined;
  /** With the option `fields`: the renderers of events, by type. */
  readonly #fields = new Map<number, EntryRenderer>();
  readonly #isGraph: boolean;
  readonly #record = new RecordBytes();
  readonly #cpus: string[] = [];
  readonly #started = new Set<number>();
  #renderers = new Map<number, EntryRenderer>();
  #graph: GraphText | undefined;
  #epoch: bigint | undefined;
  #clock: ClockText = new ClockText(0n);
  #columns: EventColumns | undefined;
  #arena: PageArena | undefined;
  readonly #run: TraceTextRun;
  /** Number of events so far, less one (`trace_iterator.idx`). */
  #index = -1;
  #tookNext = false;

  constructor(
    guest: TraceMeta,
    options: TraceTextOptions,
    run: TraceTextRun = {},
  ) {
    const meta = run.escaped === true ? escapedMeta(guest) : guest;
    this.#meta = meta;
    this.#options = options;
    this.#run = run;
    this.#isGraph = meta.tracer === "function_graph";
    this.#env = {
      symbols: meta.symbols,
      string: (lo, hi) => meta.string(lo, hi),
      enumerator: (name) => meta.enumerator?.(name),
      variable: (name) => meta.variable?.(name),
      structSize: (name) => meta.structSize?.(name),
      checksStrings: meta.checksStrings,
      pointerKey: meta.pointerKey,
      pointerKeyUnknown: meta.pointerKeyUnknown,
      noHashPointers: meta.noHashPointers,
      hashPointers: options.hashPtr,
      hz: meta.hz,
      pageSize: meta.pageSize,
      hexChunkSpace: meta.hexChunkSpace,
      bitmaskList: options.bitmaskList,
      namesFieldValues: meta.namesFieldValues,
      cleansStrings: meta.cleansStrings,
      kernelStart: meta.kernelStart,
      adjusted: meta.adjusted,
    };
    this.#tasks = new TaskText(meta, options.recordTgid);
    this.#flags = options.irqInfo || options.latencyFormat
      ? flagWriter(meta.entryFlags())
      : () => "";
    this.#entries = new StandardEntries(
      meta,
      options,
      this.#env,
      run.escaped === true ? escapedBody : undefined,
    );
    const form = rawForm(options);
    this.#raw = form === undefined
      ? undefined
      : new RawEntries(form, meta, options, this.#entries);
  }

  /** Whether the last row's lines included the row after it. */
  get tookNext(): boolean {
    return this.#tookNext;
  }

  /**
   * The lines above the events; without `counts`, nothing about the buffers.
   */
  header(counts?: EntryCounts): string {
    return traceHeader(this.#meta, this.#options, counts);
  }

  /** Looks up comms again from the next line on. */
  refresh(): void {
    this.#tasks.refresh();
  }

  /**
   * Continues with these columns; the state of each CPU is kept.
   *
   * @param arena contains the columns' payloads
   */
  move(columns: EventColumns, arena: PageArena): void {
    this.#columns = columns;
    this.#arena = arena;
    if (this.#epoch !== columns.epoch) {
      this.#epoch = columns.epoch;
      this.#clock = new ClockText(columns.epoch);
      // New formats may have appeared, so the renderers are created again as
      // well.
      this.#renderers = this.#entries.renderers(this.#clock);
    }
    if (this.#graph === undefined) {
      this.#graph = new GraphText(
        this.#meta,
        this.#options,
        this.#tasks,
        this.#flags,
        columns,
        arena,
        this.#clock,
      );
    } else {
      this.#graph.move(columns, arena, this.#clock);
    }
  }

  /**
   * The lines of a row of the current columns. Rows must be passed in time
   * order.
   *
   * @param next the row after it on the same CPU, or -1 if there is none (yet).
   * {@linkcode tookNext} says whether it was the return of a leaf, which is
   * drawn together with its call and has no lines of its own.
   * @param nextTs time of the next event on any CPU; NaN if it is not known
   */
  row(row: number, next: number, nextTs: number): string {
    this.#index++;
    this.#tookNext = false;
    return this.#isGraph
      ? this.#graphLine(row, next, nextTs)
      : this.#line(row, next, nextTs);
  }

  /** The function_graph tracer's own line. */
  #graphLine(row: number, next: number, nextTs: number): string {
    const columns = this.#columns!;
    const graph = this.#graph!;
    if (columns.kind[row] !== KIND.other) return this.#call(row, next);
    const types = this.#meta.layout.types;
    const type = columns.type[row];
    // Stacks and plain function entries are not drawn as comments.
    if (type === types.stack || type === types.fn) {
      return this.#line(row, next, nextTs);
    }
    const record = this.#at(row);
    switch (type) {
      case types.bputs:
        return graph.comment(row, this.#entries.bputsMessage(record));
      case types.bprint:
        return graph.comment(row, this.#entries.bprintMessage(record));
      case types.print:
        return graph.comment(row, this.#entries.printMessage(record));
    }
    const render = this.#renderer(type);
    // By the time it finds no event, the kernel has already begun the comment.
    return render === undefined
      ? graph.commentStart(row) + this.#line(row, next, nextTs)
      : graph.comment(row, render(record, columns.ts[row]));
  }

  /** `print_trace_line` for all other tracers. */
  #line(row: number, next: number, nextTs: number): string {
    const columns = this.#columns!;
    const options = this.#options;
    const type = columns.type[row];
    const record = this.#at(row);
    if (options.printk && options.printkMsgOnly) {
      const types = this.#meta.layout.types;
      if (type === types.bputs) return this.#entries.bputsMessage(record);
      if (type === types.bprint) return this.#entries.bprintMessage(record);
      if (type === types.print) return this.#entries.printMessage(record);
    }
    const known = columns.kind[row] !== KIND.other ||
      this.#renderer(type) !== undefined;
    if (this.#raw !== undefined) {
      const text = this.#raw.line(type, record, {
        pid: columns.pid[row],
        cpu: columns.cpu[row],
        stamp: columns.epoch + BigInt(columns.ts[row]),
      }, known);
      return this.#run.escaped === true ? escapedBody(text) : text;
    }
    let text = options.annotate ? this.#bufferStart(columns.cpu[row]) : "";
    if (options.contextInfo) {
      text += options.latencyFormat
        ? this.#latencyContext(row, nextTs)
        : this.#context(row);
    }
    const byFields = options.fields ||
      this.#meta.byFields === true && type > this.#meta.layout.types.last;
    if (byFields && known) {
      return text + this.#fieldsOf(type)(record, columns.ts[row]);
    }
    if (columns.kind[row] !== KIND.other) {
      return text + this.#call(row, next);
    }
    const render = this.#renderer(type);
    return render === undefined
      ? text + `Unknown type ${type}\n`
      : text + render(record, columns.ts[row]);
  }

  #call(row: number, next: number): string {
    const text = this.#graph!.line(row, next);
    this.#tookNext = this.#graph!.tookNext;
    return text;
  }

  /** `test_cpu_buff_start`. */
  #bufferStart(cpu: number): string {
    // Only for buffers that overran.
    if ((this.#run.overruns ?? 0) === 0) return "";
    if (this.#started.has(cpu)) return "";
    if (this.#run.skippedCpus?.has(cpu)) return "";
    this.#started.add(cpu);
    // Not before the first entries of the trace.
    return this.#index > 1 ? `##### CPU ${cpu} buffer started ####\n` : "";
  }

  /** `trace_print_context`. */
  #context(row: number): string {
    const columns = this.#columns!;
    const flags = this.#options.irqInfo
      ? this.#flags(this.#arena!.words, columns.offset[row] >>> 2)
      : "";
    const time = this.#meta.clockInNs
      ? this.#clock.context(columns.ts[row])
      : this.#clock.counter(columns.ts[row]);
    return this.#tasks.context(columns.pid[row]) +
      this.#cpu(columns.cpu[row]) + flags + time + ": ";
  }

  #cpu(cpu: number): string {
    return this.#cpus[cpu] ??= `[${String(cpu).padStart(3, "0")}] `;
  }

  /** `trace_print_lat_context`. */
  #latencyContext(row: number, nextTs: number): string {
    const columns = this.#columns!;
    const pid = columns.pid[row];
    const cpu = columns.cpu[row];
    const ts = columns.ts[row];
    const { words } = this.#arena!;
    const first = columns.offset[row] >>> 2;
    const word = words[first];
    const comm = this.#tasks.comm(pid);
    const time = this.#latencyTime(ts, Number.isNaN(nextTs) ? ts : nextTs);
    if (this.#options.verbose) {
      return comm.padStart(16) + " " + String(pid).padStart(7) + " " +
        String(cpu).padStart(3) + ` ${word >>> 16 & 0xff} ` +
        (word >>> 24 & 0xf).toString(16).padStart(8, "0") + " " +
        this.#index.toString(16).padStart(8, "0") + " " + time;
    }
    return comm.substring(0, 8).padStart(8) + "-" + String(pid).padEnd(7) +
      " " + String(cpu).padStart(3) + this.#flags(words, first) + time;
  }

  /** `lat_print_timestamp`. */
  #latencyTime(ts: number, nextTs: number): string {
    const start = Number(this.#columns!.epoch - this.#meta.timeStart);
    const toUs = (ns: number) => Math.floor((ns + 500) / 1000);
    const absolute = start + ts;
    const relative = nextTs - ts;
    const milliseconds = (us: number) =>
      `${Math.floor(us / 1000)}.${String(us % 1000).padStart(3, "0")}ms`;
    if (this.#options.verbose) {
      const stamp = this.#columns!.epoch + BigInt(ts);
      return this.#meta.clockInNs
        ? `[${((stamp + 500n) / 1000n).toString(16).padStart(8, "0")}] ` +
          `${milliseconds(toUs(absolute))} ` +
          `(+${milliseconds(toUs(relative))}): `
        : `[${stamp.toString(16).padStart(16, "0")}] ${absolute} ` +
          `(+${relative}): `;
    }
    return this.#meta.clockInNs
      ? ` ${String(toUs(absolute)).padStart(4)}us` +
        `${overheadMark(toUs(relative) * 1000)}: `
      : ` ${String(absolute).padStart(4)}: `;
  }

  #at(row: number): RecordBytes {
    const columns = this.#columns!;
    this.#record.move(this.#arena!, columns.offset[row], columns.size[row]);
    return this.#record;
  }

  /** `print_event_fields`. */
  #fieldsOf(type: number): EntryRenderer {
    let render = this.#fields.get(type);
    if (render !== undefined) return render;
    const { last } = this.#meta.layout.types;
    const format = type <= last && this.#meta.ownEventFound?.(type) === false
      ? undefined
      : this.#meta.format(type);
    if (format === undefined) {
      render = () => `UNKNOWN TYPE ${type}\n`;
    } else {
      const body = fieldsRenderer(format, this.#env);
      render = (record) => `${format.name}:${body(record)}`;
    }
    render = this.#escaped(render);
    this.#fields.set(type, render);
    return render;
  }

  #renderer(type: number): EntryRenderer | undefined {
    const known = this.#renderers.get(type);
    if (known !== undefined) return known;
    const format = this.#meta.format(type);
    if (format === undefined) return undefined;
    let render: EntryRenderer;
    if (format.syscall !== undefined) {
      const { syscall, printFmt } = format;
      render = syscallRenderer({ syscall, printFmt }, this.#options.verbose);
    } else {
      const body = compileEvent(format, this.#env, this.#options.verbose);
      const name = format.name + ": ";
      render = (record) => name + body(record);
    }
    render = this.#escaped(render);
    this.#renderers.set(type, render);
    return render;
  }

  /** The renderer of an event, whose format and strings are the guest's. */
  #escaped(render: EntryRenderer): EntryRenderer {
    return this.#run.escaped === true
      ? (record, ts) => escapedBody(render(record, ts))
      : render;
  }
}

/**
 * The line for events lost on a CPU.
 *
 * @param count number of events; negative if unknown
 */
export function lostText(cpu: number, count: number): string {
  return count < 0
    ? `CPU:${cpu} [LOST EVENTS]\n`
    : `CPU:${cpu} [LOST ${count} EVENTS]\n`;
}
