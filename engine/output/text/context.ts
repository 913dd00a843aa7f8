/**
 * Renders what precedes an event: task, CPU, flags and time
 * (kernel/trace/trace_output.c, trace_print_context).
 *
 * @module
 */

import type { TraceMeta } from "./environment.ts";
import { padBytes } from "./printf_number.ts";

// include/linux/trace_events.h, enum trace_flag_type.
const IRQS_OFF = 0x01;
const IRQS_NOSUPPORT = 0x02;
const NEED_RESCHED = 0x04;
const HARDIRQ = 0x08;
const SOFTIRQ = 0x10;
const PREEMPT_RESCHED = 0x20;
const NMI = 0x40;
const BH_OFF = 0x80;

const FLAGS: readonly string[] = Array.from({ length: 256 }, flagText);
const COUNTS: readonly string[] = Array.from({ length: 256 }, countText);

/**
 * `trace_print_lat_fmt`: `d..2.`, from the first word of a `trace_entry`
 * (type, flags, preempt_count).
 */
export function latencyFlags(word: number): string {
  return FLAGS[word >>> 16 & 0xff] + COUNTS[word >>> 24];
}

function flagText(_: unknown, flags: number): string {
  const has = (bit: number) => (flags & bit) !== 0;
  const irqs = has(IRQS_OFF)
    ? (has(BH_OFF) ? "D" : "d")
    : has(BH_OFF)
    ? "b"
    : has(IRQS_NOSUPPORT)
    ? "X"
    : ".";
  const resched = has(NEED_RESCHED)
    ? (has(PREEMPT_RESCHED) ? "N" : "n")
    : has(PREEMPT_RESCHED)
    ? "p"
    : ".";
  const context = has(NMI)
    ? (has(HARDIRQ) ? "Z" : "z")
    : has(HARDIRQ)
    ? (has(SOFTIRQ) ? "H" : "h")
    : has(SOFTIRQ)
    ? "s"
    : ".";
  return irqs + resched + context;
}

function countText(_: unknown, count: number): string {
  const digit = (value: number) => value === 0 ? "." : value.toString(16);
  return digit(count & 0xf) + digit(count >> 4);
}

/**
 * Names of tasks in the form of the trace. They are cached for a batch of
 * lines, since the kernel looks up a comm when it prints.
 */
export class TaskText {
  readonly #meta: TraceMeta;
  readonly #withTgid: boolean;
  readonly #context = new Map<number, string>();
  readonly #graph = new Map<number, string>();

  constructor(meta: TraceMeta, withTgid: boolean) {
    this.#meta = meta;
    this.#withTgid = withTgid;
  }

  /** Discards the comms, so that they are read again. */
  refresh(): void {
    this.#context.clear();
    this.#graph.clear();
  }

  /** `trace_find_cmdline`. */
  comm(pid: number): string {
    if (pid === 0) return "<idle>";
    if (pid < 0) return "<XXX>";
    return this.#meta.comm(pid) ?? "<...>";
  }

  /** `%16s-%-7d `, with the thread group if it is recorded. */
  context(pid: number): string {
    const known = this.#context.get(pid);
    if (known !== undefined) return known;
    let text = padBytes(this.comm(pid), 16) + "-" + String(pid).padEnd(7) + " ";
    if (this.#withTgid) {
      const tgid = this.#meta.tgid(pid);
      text += tgid === 0 ? "(-------) " : `(${String(tgid).padStart(7)}) `;
    }
    this.#context.set(pid, text);
    return text;
  }

  /** `print_graph_proc`: comm and pid, centred in 14 columns. */
  graph(pid: number): string {
    const known = this.#graph.get(pid);
    if (known !== undefined) return known;
    const bytes = new TextEncoder().encode(this.comm(pid));
    const comm = new TextDecoder().decode(bytes.slice(0, 7));
    const id = String(pid);
    const length = Math.min(bytes.length, 7) + id.length + 1;
    const spaces = Math.max(0, 14 - length);
    const before = Math.floor(spaces / 2);
    const text = " ".repeat(before) + comm + "-" + id +
      " ".repeat(spaces - before);
    this.#graph.set(pid, text);
    return text;
  }
}
