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
import { bytesText } from "./byte_text.ts";
import { TextRoom } from "./bytes/numbered_texts.ts";
import { packed, TextBuffer } from "./bytes/text_buffer.ts";
import { type EntryWriter, StandardEntries, writerOf } from "./entries.ts";
import { escapedBody, escapedMeta, escapeFrom } from "./escaped_meta.ts";
import { fieldsRenderer } from "./event_fields.ts";
import { GraphText } from "./graph_text.ts";
import { type EntryCounts, traceHeader } from "./header.ts";
import type { TraceTextOptions } from "./options.ts";
import { compileEventWriter } from "./probe_event.ts";
import { RawEntries, rawForm } from "./raw_entries.ts";
import { RecordBytes } from "./record.ts";
import { syscallWriter } from "./syscall.ts";

const COLON = packed(": ");

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
  /** With the option `fields`: the writers of events, by type. */
  readonly #fields = new Map<number, EntryWriter>();
  /** The messages of trace_printk() alone, by type. */
  readonly #messages: ReadonlyMap<number, EntryWriter>;
  readonly #isGraph: boolean;
  readonly #record = new RecordBytes();
  /** For all texts that are kept. */
  readonly #room = new TextRoom();
  readonly #cpuTexts = this.#room.table();
  readonly #started = new Set<number>();
  /** Of flags and counts in an entry's first word. */
  readonly #flagTexts = this.#room.table();
  /** Whether the first word alone determines them. */
  readonly #flagsInWord: boolean;
  /** For {@linkcode row}. */
  readonly #own = new TextBuffer();
  #writers = new Map<number, EntryWriter>();
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
      room: this.#room,
      adjusted: meta.adjusted,
    };
    this.#tasks = new TaskText(meta, options.recordTgid, this.#room);
    const flags = options.irqInfo || options.latencyFormat
      ? meta.entryFlags()
      : undefined;
    this.#flags = flags === undefined ? () => "" : flagWriter(flags);
    this.#flagsInWord = flags === undefined || flags.lazyCountAt === 0;
    this.#entries = new StandardEntries(
      meta,
      options,
      this.#env,
      run.escaped === true ? escapedBody : undefined,
    );
    this.#messages = this.#entries.messages();
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
      this.#writers = this.#entries.writers(this.#clock);
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
        this.#room,
      );
    } else {
      this.#graph.move(columns, arena, this.#clock);
    }
  }

  /** The lines that {@linkcode write} writes, as a string. */
  row(row: number, next: number, nextTs: number): string {
    this.#own.length = 0;
    this.write(this.#own, row, next, nextTs);
    return bytesText(this.#own.written);
  }

  /**
   * Writes the lines of a row of the current columns. Rows must be passed in
   * time order.
   *
   * @param next the row after it on the same CPU, or -1 if there is none (yet).
   * {@linkcode tookNext} says whether it was the return of a leaf, which is
   * drawn together with its call and has no lines of its own.
   * @param nextTs time of the next event on any CPU; NaN if it is not known
   */
  write(out: TextBuffer, row: number, next: number, nextTs: number): void {
    this.#index++;
    this.#tookNext = false;
    if (this.#isGraph) this.#graphLine(out, row, next, nextTs);
    else this.#line(out, row, next, nextTs);
  }

  /** The function_graph tracer's own line. */
  #graphLine(
    out: TextBuffer,
    row: number,
    next: number,
    nextTs: number,
  ): void {
    const columns = this.#columns!;
    const graph = this.#graph!;
    if (columns.kind[row] !== KIND.other) {
      this.#call(out, row, next);
      return;
    }
    const types = this.#meta.layout.types;
    const type = columns.type[row];
    // Stacks and plain function entries are not drawn as comments.
    if (type === types.stack || type === types.fn) {
      this.#line(out, row, next, nextTs);
      return;
    }
    const record = this.#at(row);
    const write = this.#messages.get(type) ?? this.#writer(type);
    graph.beginComment(out, row);
    if (write === undefined) {
      // By the time it finds no event, the kernel has already begun the comment.
      this.#line(out, row, next, nextTs);
      return;
    }
    const start = out.length;
    write(out, record, columns.ts[row]);
    graph.endComment(out, start);
  }

  /** `print_trace_line` for all other tracers. */
  #line(out: TextBuffer, row: number, next: number, nextTs: number): void {
    const columns = this.#columns!;
    const options = this.#options;
    const type = columns.type[row];
    const record = this.#at(row);
    if (options.printk && options.printkMsgOnly) {
      const write = this.#messages.get(type);
      if (write !== undefined) {
        write(out, record, columns.ts[row]);
        return;
      }
    }
    const known = columns.kind[row] !== KIND.other ||
      this.#writer(type) !== undefined;
    if (this.#raw !== undefined) {
      const text = this.#raw.line(type, record, {
        pid: columns.pid[row],
        cpu: columns.cpu[row],
        stamp: columns.epoch + BigInt(columns.ts[row]),
      }, known);
      out.text(this.#run.escaped === true ? escapedBody(text) : text);
      return;
    }
    if (options.annotate) out.text(this.#bufferStart(columns.cpu[row]));
    if (options.contextInfo) {
      if (options.latencyFormat) out.text(this.#latencyContext(row, nextTs));
      else this.#context(out, row);
    }
    const byFields = options.fields ||
      this.#meta.byFields === true && type > this.#meta.layout.types.last;
    if (byFields && known) {
      this.#fieldsOf(type)(out, record, columns.ts[row]);
      return;
    }
    if (columns.kind[row] !== KIND.other) {
      this.#call(out, row, next);
      return;
    }
    const write = this.#writer(type);
    if (write === undefined) out.text(`Unknown type ${type}\n`);
    else write(out, record, columns.ts[row]);
  }

  #call(out: TextBuffer, row: number, next: number): void {
    this.#graph!.write(out, row, next);
    this.#tookNext = this.#graph!.tookNext;
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
  #context(out: TextBuffer, row: number): void {
    const columns = this.#columns!;
    this.#tasks.writeContext(out, columns.pid[row]);
    this.#cpu(out, columns.cpu[row]);
    if (this.#options.irqInfo) this.#writeFlags(out, columns.offset[row]);
    const ts = columns.ts[row];
    if (this.#meta.clockInNs) this.#clock.writeContext(out, ts);
    else out.text(this.#clock.counter(ts));
    out.pair(COLON);
  }

  #writeFlags(out: TextBuffer, offset: number): void {
    const { words } = this.#arena!;
    const at = offset >>> 2;
    if (!this.#flagsInWord) {
      out.text(this.#flags(words, at));
      return;
    }
    const texts = this.#flagTexts;
    const key = words[at] >>> 16;
    const place = texts.find(key, 0);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, key, 0, this.#flags(words, at));
  }

  #cpu(out: TextBuffer, cpu: number): void {
    const texts = this.#cpuTexts;
    const place = texts.find(cpu, 0);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, cpu, 0, `[${String(cpu).padStart(3, "0")}] `);
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
  #fieldsOf(type: number): EntryWriter {
    let write = this.#fields.get(type);
    if (write !== undefined) return write;
    const { last } = this.#meta.layout.types;
    const format = type <= last && this.#meta.ownEventFound?.(type) === false
      ? undefined
      : this.#meta.format(type);
    if (format === undefined) {
      write = writerOf(() => `UNKNOWN TYPE ${type}\n`);
    } else {
      const body = fieldsRenderer(format, this.#env);
      write = writerOf((record) => `${format.name}:${body(record)}`);
    }
    write = this.#escaped(write);
    this.#fields.set(type, write);
    return write;
  }

  #writer(type: number): EntryWriter | undefined {
    const known = this.#writers.get(type);
    if (known !== undefined) return known;
    const format = this.#meta.format(type);
    if (format === undefined) return undefined;
    let write: EntryWriter;
    if (format.syscall !== undefined) {
      const { syscall, printFmt } = format;
      write = syscallWriter({ syscall, printFmt }, this.#options.verbose);
    } else {
      write = compileEventWriter(format, this.#env, {
        verbose: this.#options.verbose,
        before: `${format.name}: `,
      });
    }
    write = this.#escaped(write);
    this.#writers.set(type, write);
    return write;
  }

  /** The writer of an event, whose format and strings are the guest's. */
  #escaped(write: EntryWriter): EntryWriter {
    if (this.#run.escaped !== true) return write;
    return (out, record, ts) => {
      const start = out.length;
      write(out, record, ts);
      escapeFrom(out, start);
    };
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
