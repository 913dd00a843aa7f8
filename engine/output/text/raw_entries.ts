/**
 * Renders lines for the trace options `raw`, `hex` and `bin`
 * (kernel/trace/trace.c: print_raw_fmt, print_hex_fmt, print_bin_fmt, and the
 * functions for each kind of entry in trace_output.c). Most entries have no
 * functions for these options; the kernel then prints their type.
 *
 * @module
 */

import type { TraceMeta } from "./environment.ts";
import { byteChar } from "./byte_text.ts";
import type { StandardEntries } from "./entries.ts";
import { fieldReader, taskState } from "./field_entries.ts";
import type { TraceTextOptions } from "./options.ts";
import type { RecordBytes } from "./record.ts";

/** The form of such a line. */
export type RawForm = "raw" | "hex" | "bin";

/**
 * The form selected by the options; `bin` takes precedence over `hex`, and
 * `hex` over `raw`.
 */
export function rawForm(options: TraceTextOptions): RawForm | undefined {
  if (options.bin) return "bin";
  if (options.hex) return "hex";
  return options.raw ? "raw" : undefined;
}

/** What precedes an entry. */
export interface RawContext {
  readonly pid: number;
  readonly cpu: number;
  /** The event's time stamp, in units of the trace clock. */
  readonly stamp: bigint;
}

/** A number and its size in bytes. */
type Part = readonly [value: number | bigint, size: 1 | 4 | 8];

/** Renders lines in one of the forms. */
export class RawEntries {
  readonly #form: RawForm;
  readonly #meta: TraceMeta;
  readonly #contextInfo: boolean;
  readonly #entries: StandardEntries;
  readonly #context: ContextSwitch | undefined;

  constructor(
    form: RawForm,
    meta: TraceMeta,
    options: TraceTextOptions,
    entries: StandardEntries,
  ) {
    this.#form = form;
    this.#meta = meta;
    this.#contextInfo = options.contextInfo;
    this.#entries = entries;
    this.#context = contextSwitch(meta);
  }

  /**
   * The line of an entry.
   *
   * @param known whether the kernel has an event of this type
   */
  line(
    type: number,
    record: RecordBytes,
    context: RawContext,
    known: boolean,
  ): string {
    const lead = this.#contextInfo ? this.#lead(context) : "";
    switch (this.#form) {
      case "raw":
        return lead + (known ? this.#raw(type, record) : `${type} ?\n`);
      case "hex":
        return lead + (known ? this.#numbers(type, record) : "") + "\n";
      case "bin":
        return lead + (known ? this.#numbers(type, record) : "");
    }
  }

  #lead({ pid, cpu, stamp }: RawContext): string {
    return this.#form === "raw"
      ? `${pid | 0} ${cpu} ${stamp} `
      : this.#put([[pid, 4], [cpu, 4], [stamp, 8]]);
  }

  /** Entries that have numbers for `hex` and `bin`. */
  #numbers(type: number, record: RecordBytes): string {
    const { types, fn } = this.#meta.layout;
    if (type === types.fn) {
      return this.#put([
        [record.u64(fn.ip), 8],
        [record.u64(fn.parentIp), 8],
      ]);
    }
    const task = this.#context;
    if (task !== undefined && (type === types.ctx || type === types.wake)) {
      const hex = this.#form === "hex";
      const state = type === types.wake ? "+" : taskState(task.state(record));
      return this.#put([
        [task.pid(record), 4],
        [task.prio(record), 1],
        // In hex, the state is shown as a letter, and in bin as its number.
        [hex ? state.charCodeAt(0) : task.state(record), 1],
        [task.nextCpu(record), 4],
        [task.nextPid(record), 4],
        [task.nextPrio(record), 1],
        hex
          ? [taskState(task.nextState(record)).charCodeAt(0), 4]
          : [task.nextState(record), 1],
      ]);
    }
    return nothing(type);
  }

  /** Entries that have their own text for `raw`. */
  #raw(type: number, record: RecordBytes): string {
    const { layout } = this.#meta;
    const { types } = layout;
    const address = (at: number) => record.u64(at).toString(16);
    switch (type) {
      case types.fn:
        return `${address(layout.fn.ip)} ${address(layout.fn.parentIp)}\n`;
      case types.ctx:
      case types.wake:
        return this.#task(record, type === types.wake) ?? nothing(type);
      case types.bputs:
        return `: ${address(layout.bputs.ip)} : ` +
          this.#entries.bputsMessage(record);
      case types.bprint:
        return `: ${address(layout.bprint.ip)} : ` +
          this.#entries.bprintMessage(record);
      case types.print:
        return `# ${address(layout.print.ip)} ` +
          this.#entries.printMessage(record);
      case types.rawData:
        return this.#entries.rawData(record);
      case types.funcRepeats:
        return this.#repeats(record) ?? nothing(type);
      case types.hwlat:
        return this.#fields(type, record, [
          "duration",
          "outer_duration",
          "tv_sec",
          "tv_nsec",
          "seqnum",
        ]);
      case types.osnoise:
        return this.#fields(type, record, [
          "runtime",
          "noise",
          "max_sample",
          "hw_count",
          "nmi_count",
          "irq_count",
          "softirq_count",
          "thread_count",
        ]);
      case types.timerlat:
        return this.#fields(type, record, [
          "seqnum",
          "context",
          "timer_latency",
        ]);
    }
    return nothing(type);
  }

  #task(record: RecordBytes, wake: boolean): string | undefined {
    const task = this.#context;
    if (task === undefined) return undefined;
    const state = wake ? "+" : taskState(task.state(record));
    return `${Number(task.pid(record)) | 0} ${task.prio(record)} ${state} ` +
      `${task.nextCpu(record)} ${Number(task.nextPid(record)) | 0} ` +
      `${task.nextPrio(record)} ${taskState(task.nextState(record))}\n`;
  }

  #repeats(record: RecordBytes): string | undefined {
    const layout = this.#meta.layout.funcRepeats;
    if (layout === undefined) return undefined;
    const delta = BigInt(record.u16(layout.topDelta)) << 32n |
      BigInt(record.u32(layout.bottomDelta));
    return `${record.u64(layout.ip)} ${record.u64(layout.parentIp)} ` +
      `${record.u16(layout.count)} ${delta}\n`;
  }

  /** Numbers from the entry's own format, separated by spaces. */
  #fields(type: number, record: RecordBytes, names: string[]): string {
    const format = this.#meta.format(type);
    const values = names.map((name) => {
      const field = format?.fields.find((each) => each.name === name);
      const value = field === undefined ? 0 : fieldReader(field)(record);
      return name === "tv_nsec" ? String(value).padStart(9, "0") : value;
    });
    return values.join(" ") + "\n";
  }

  #put(parts: readonly Part[]): string {
    let text = "";
    for (const [value, size] of parts) {
      const bits = BigInt.asUintN(8 * size, BigInt(value));
      if (this.#form === "hex") {
        text += bits.toString(16).padStart(2 * size, "0") + " ";
        continue;
      }
      for (let byte = 0; byte < size; byte++) {
        text += byteChar(Number(bits >> BigInt(8 * byte) & 0xffn));
      }
    }
    return text;
  }
}

/** `trace_nop_print`. */
function nothing(type: number): string {
  return `type: ${type}\n`;
}

/** Readers of a `ctx_switch_entry`; `wakeup` has the same layout. */
interface ContextSwitch {
  readonly pid: FieldReader;
  readonly prio: FieldReader;
  readonly state: FieldReader;
  readonly nextCpu: FieldReader;
  readonly nextPid: FieldReader;
  readonly nextPrio: FieldReader;
  readonly nextState: FieldReader;
}

type FieldReader = ReturnType<typeof fieldReader>;

function contextSwitch(meta: TraceMeta): ContextSwitch | undefined {
  const fields = meta.format(meta.layout.types.ctx)?.fields;
  const read = (name: string) => {
    const field = fields?.find((each) => each.name === name);
    return field === undefined ? undefined : fieldReader(field);
  };
  const pid = read("prev_pid");
  const prio = read("prev_prio");
  const state = read("prev_state");
  const nextCpu = read("next_cpu");
  const nextPid = read("next_pid");
  const nextPrio = read("next_prio");
  const nextState = read("next_state");
  if (
    pid === undefined || prio === undefined || state === undefined ||
    nextCpu === undefined || nextPid === undefined ||
    nextPrio === undefined || nextState === undefined
  ) {
    return undefined;
  }
  return { pid, prio, state, nextCpu, nextPid, nextPrio, nextState };
}
