/**
 * Renders the tracers' own entries in the same way as the kernel
 * (kernel/trace/trace_output.c), each with its newline.
 *
 * @module
 */

import {
  recordedNames,
  type TextEnvironment,
  type TraceMeta,
} from "./environment.ts";
import { PackedPrintf } from "./bprint.ts";
import { type NumberedTexts, TextRoom } from "./bytes/numbered_texts.ts";
import type { TextBuffer } from "./bytes/text_buffer.ts";
import type { ClockText } from "./duration.ts";
import { fieldEntries } from "./field_entries.ts";
import type { TraceTextOptions } from "./options.ts";
import type { RecordBytes } from "./record.ts";

/** Renders one kind of entry; `ts` is in ns since the columns' epoch. */
export type EntryRenderer = (record: RecordBytes, ts: number) => string;

/** Writes one kind of entry: the same as bytes. */
export type EntryWriter = (
  out: TextBuffer,
  record: RecordBytes,
  ts: number,
) => void;

/** Writes what a renderer returns. */
export function writerOf(render: EntryRenderer): EntryWriter {
  return (out, record, ts) => out.text(render(record, ts));
}

/** A stack trace ends with ULONG_MAX: this is each half of it. */
const END_OF_STACK = 0xffffffff;
const NEWLINE = 0x0a;
/** trace.h, FTRACE_TRAMPOLINE_MARKER: INT_MAX, on kernels that have it. */
const TRAMPOLINE = 0x7fffffff;

/** The renderers of the tracers' own entries, by type id. */
export class StandardEntries {
  readonly #meta: TraceMeta;
  readonly #options: TraceTextOptions;
  readonly #packed: PackedPrintf;
  readonly #message: (text: string) => string;
  /** Addresses as {@linkcode #address} shows them. */
  readonly #addresses: NumberedTexts;

  /** @param message what is shown of a message, such as that of `trace_printk` */
  constructor(
    meta: TraceMeta,
    options: TraceTextOptions,
    env: TextEnvironment,
    message: (text: string) => string = (text) => text,
  ) {
    this.#message = message;
    this.#meta = meta;
    this.#options = options;
    this.#packed = new PackedPrintf(env);
    this.#addresses = (env.room ?? new TextRoom()).table();
  }

  /** All writers, except those of types that the kernel does not have. */
  writers(clock: ClockText): Map<number, EntryWriter> {
    const types = this.#meta.layout.types;
    const all: [number, EntryRenderer | undefined][] = [
      [types.stack, (record) => this.#stack(record)],
      [types.userStack, (record) => this.#userStack(record)],
      [types.print, (record) => this.#print(record)],
      [types.bprint, (record) => this.#bprint(record)],
      [types.bputs, (record) => this.#bputs(record)],
      [types.rawData, (record) => this.rawData(record)],
      [types.funcRepeats, (record, ts) => this.#repeats(record, ts, clock)],
      ...fieldEntries(this.#meta),
    ];
    const map = new Map<number, EntryWriter>();
    if (types.fn >= 0) {
      map.set(types.fn, (out, record) => this.#fn(out, record));
    }
    for (const [id, render] of all) {
      if (id >= 0 && render !== undefined) map.set(id, writerOf(render));
    }
    return map;
  }

  /** Writers of the messages of trace_printk(), without their addresses. */
  messages(): Map<number, EntryWriter> {
    const { bputs, bprint, print } = this.#meta.layout.types;
    const all: [number, EntryRenderer][] = [
      [print, (record) => this.printMessage(record)],
      [bprint, (record) => this.bprintMessage(record)],
      [bputs, (record) => this.bputsMessage(record)],
    ];
    return new Map(all.map(([id, render]) => [id, writerOf(render)]));
  }

  /** The message of `TRACE_PRINT`, without its address. */
  printMessage(record: RecordBytes): string {
    return this.#message(record.string(this.#meta.layout.print.buf));
  }

  /** The message of `TRACE_BPRINT`, without its address. */
  bprintMessage(record: RecordBytes): string {
    const { fmt, buf } = this.#meta.layout.bprint;
    const format = this.#string(record, fmt);
    return this.#message(this.#packed.render(format, record, buf));
  }

  /** The message of `TRACE_BPUTS`, without its address. */
  bputsMessage(record: RecordBytes): string {
    return this.#message(
      this.#string(record, this.#meta.layout.bputs.str),
    );
  }

  #string(record: RecordBytes, at: number): string {
    const lo = record.u32(at);
    const hi = record.u32(at + 4);
    return this.#meta.string(lo, hi) ??
      `(0x${hi.toString(16)}${lo.toString(16).padStart(8, "0")})\n`;
  }

  /** `seq_print_ip_sym`. */
  #symbol(record: RecordBytes, at: number): string {
    return this.#address(record.u32(at), record.u32(at + 4));
  }

  /** The same of what the kernel also finds in the boot before. */
  #function(record: RecordBytes, at: number): string {
    return this.#recorded(record.u32(at), record.u32(at + 4));
  }

  #recorded(lo: number, hi: number): string {
    const adjusted = this.#meta.adjusted?.(lo, hi);
    return adjusted === undefined
      ? this.#address(lo, hi)
      : this.#address(...adjusted);
  }

  #address(lo: number, hi: number): string {
    if (lo === 0 && hi === 0) return "0";
    const symbols = this.#meta.symbols;
    const name = this.#options.symOffset
      ? symbols.pS(lo, hi)
      : symbols.bare(lo, hi);
    return this.#options.symAddr ? `${name} <${hex16(lo, hi)}>` : name;
  }

  #call(record: RecordBytes, ip: number, parent: number): string {
    const text = this.#function(record, ip);
    const called = this.#options.printParent &&
      (record.u32(parent) !== 0 || record.u32(parent + 4) !== 0);
    return called ? `${text} <-${this.#function(record, parent)}` : text;
  }

  #fn(out: TextBuffer, record: RecordBytes): void {
    const { ip, parentIp, args } = this.#meta.layout.fn;
    this.#writeSymbol(out, record, ip);
    if (args >= 0 && record.size >= args + 48) {
      out.text(this.#arguments(record, ip, args));
    }
    if (
      this.#options.printParent &&
      (record.u32(parentIp) !== 0 || record.u32(parentIp + 4) !== 0)
    ) {
      out.text(" <-");
      this.#writeSymbol(out, record, parentIp);
    }
    out.char(NEWLINE);
  }

  #writeSymbol(out: TextBuffer, record: RecordBytes, at: number): void {
    const texts = this.#addresses;
    const lo = record.u32(at);
    const hi = record.u32(at + 4);
    const place = texts.find(lo, hi);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, lo, hi, this.#recorded(lo, hi));
  }

  /** With the option `func-args`: the output of `print_function_args`. */
  #arguments(record: RecordBytes, ip: number, start: number): string {
    const name = recordedNames(this.#meta).bare(
      record.u32(ip),
      record.u32(ip + 4),
    );
    const args = Array.from({ length: 6 }, (_, i) => record.u64(start + 8 * i));
    return `(${this.#meta.functionArguments?.(name, args) ?? ""})`;
  }

  #stack(record: RecordBytes): string {
    let text = "<stack trace>\n";
    const start = this.#meta.layout.stack.caller;
    for (let at = start; at + 8 <= record.size; at += 8) {
      const lo = record.u32(at);
      const hi = record.u32(at + 4);
      if (lo === END_OF_STACK && hi === END_OF_STACK) break;
      text += hi === 0 && lo === TRAMPOLINE
        ? " => [FTRACE TRAMPOLINE]\n"
        : ` => ${this.#recorded(lo, hi)}\n`;
    }
    return text;
  }

  #userStack(record: RecordBytes): string {
    let text = "<user stack trace>\n";
    const start = this.#meta.layout.userStack.caller;
    for (let i = 0; i < 8; i++) {
      const lo = record.u32(start + 8 * i);
      const hi = record.u32(start + 8 * i + 4);
      if (lo === 0 && hi === 0) break;
      text += ` =>  <${hex16(lo, hi)}>\n`;
    }
    return text;
  }

  #print(record: RecordBytes): string {
    const ip = this.#function(record, this.#meta.layout.print.ip);
    return `${ip}: ${this.printMessage(record)}`;
  }

  #bprint(record: RecordBytes): string {
    const ip = this.#symbol(record, this.#meta.layout.bprint.ip);
    return `${ip}: ${this.bprintMessage(record)}`;
  }

  #bputs(record: RecordBytes): string {
    const ip = this.#symbol(record, this.#meta.layout.bputs.ip);
    return `${ip}: ${this.bputsMessage(record)}`;
  }

  /** `TRACE_RAW_DATA`: the entry's id and its bytes. */
  rawData(record: RecordBytes): string {
    const { id, buf } = this.#meta.layout.rawData;
    let text = `# ${record.u32(id).toString(16)} buf:`;
    for (let at = buf; at < record.size; at++) {
      text += " " + record.u8(at).toString(16).padStart(2, "0");
    }
    return text + "\n";
  }

  #repeats(record: RecordBytes, ts: number, clock: ClockText): string {
    const layout = this.#meta.layout.funcRepeats;
    if (layout === undefined) return "\n";
    const delta = record.u16(layout.topDelta) * 4294967296 +
      record.u32(layout.bottomDelta);
    const time = this.#meta.clockInNs
      ? clock.context(ts - delta)
      : clock.counter(ts - delta);
    return this.#call(record, layout.ip, layout.parentIp) +
      ` (repeats: ${record.u16(layout.count)}, last_ts:${time})\n`;
  }
}

function hex16(lo: number, hi: number): string {
  return hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
}
