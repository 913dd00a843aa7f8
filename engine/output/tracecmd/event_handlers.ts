/**
 * Events that trace-cmd and the plugins of libtraceevent print in their own
 * way, and not by their `print fmt`.
 *
 * @module
 */
import type { DatEvent } from "../../tracedat/format_file.ts";
import type { RecordBytes } from "../text/record.ts";
import { parseConversion, printNumber } from "./c_printf.ts";
import type { KnownComms } from "./known_comms.ts";
import { anyField, readNumber } from "./print_values.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** An event that is printed. */
export interface HandledRecord {
  readonly event: DatEvent;
  readonly bytes: RecordBytes;
  readonly cpu: number;
  /** ns. */
  readonly time: bigint;
}

/** Text that is all, or that precedes the event's own text. */
export interface Handled {
  readonly text: string;
  readonly goesOn?: true;
}

/** Prints one kind of event. */
export type EventHandler = (record: HandledRecord) => Handled;

/** Functions that are open on a CPU, for the indentation of the tracer. */
const MOST_STACK = 1024;

/** The value of a field; undefined if the event has none, or is too short. */
function value(
  { event, bytes }: Pick<HandledRecord, "event" | "bytes">,
  name: string,
): bigint | undefined {
  const field = anyField(event, name);
  if (field === undefined || field.offset + field.size > bytes.size) {
    return undefined;
  }
  return readNumber(bytes, field.offset, field.size);
}

/** The handlers for a guest, by `system:event`. */
export function eventHandlers(
  guest: TracecmdGuest,
  comms: Pick<KnownComms, "add">,
): ReadonlyMap<string, EventHandler> {
  const functions = new FunctionIndent(guest);
  const wakeup: EventHandler = (record) => ({
    text: wakeupText(record, comms),
  });
  const site: EventHandler = (record) => ({
    text: callSite(record, guest),
    goesOn: true,
  });
  return new Map<string, EventHandler>([
    ["ftrace:function", (record) => ({ text: functions.text(record) })],
    ["ftrace:func_repeats", (record) => ({
      text: functions.text(record) + repeatsText(record),
    })],
    ["ftrace:kernel_stack", (record) => ({ text: stackText(record, guest) })],
    ["ftrace:raw_data", (record) => ({ text: rawText(record, guest) })],
    ["sched:sched_switch", (record) => ({ text: switchText(record, comms) })],
    ["sched:sched_wakeup", wakeup],
    ["sched:sched_wakeup_new", wakeup],
    ["timer:hrtimer_expire_entry", (record) => ({
      text: timerText(record, guest, true),
    })],
    ["timer:hrtimer_start", (record) => ({
      text: timerText(record, guest, false),
    })],
    ...["kfree", "kmalloc", "kmalloc_node", "kmem_cache_alloc"].map((
      name,
    ): [string, EventHandler] => [`kmem:${name}`, site]),
    ["kmem:kmem_cache_alloc_node", site],
    ["kmem:kmem_cache_free", site],
    ["tlb:tlb_flush", (record) => ({ text: tlbText(record) })],
    ["syscalls:sys_enter_futex", futexText],
  ]);
}

/** Indents functions below those that called them (plugin_function.c). */
class FunctionIndent {
  readonly #guest: TracecmdGuest;
  readonly #stacks: string[][] = [];

  constructor(guest: TracecmdGuest) {
    this.#guest = guest;
  }

  text(record: HandledRecord): string {
    const ip = value(record, "ip");
    const parentIp = value(record, "parent_ip");
    if (ip === undefined || parentIp === undefined) return "!";
    const func = this.#guest.function(ip)?.name;
    const parent = this.#guest.function(parentIp)?.name;
    const level = parent === undefined
      ? 0
      : this.#level(parent, func, record.cpu);
    return " ".repeat(level * 3) + (func ?? `0x${ip.toString(16)}`);
  }

  #level(parent: string, child: string | undefined, cpu: number): number {
    const stack = this.#stacks[cpu] ??= [];
    const at = stack.indexOf(parent);
    if (at < 0) {
      stack[0] = parent;
      if (child !== undefined) stack[1] = child;
      return 0;
    }
    if (child !== undefined && at + 1 < MOST_STACK) stack[at + 1] = child;
    return at;
  }
}

function repeatsText(record: HandledRecord): string {
  const count = value(record, "count");
  const top = value(record, "top_delta_ts");
  const bottom = value(record, "bottom_delta_ts");
  if (count === undefined || top === undefined || bottom === undefined) {
    return "!";
  }
  const time = record.time - (top << 32n | bottom);
  return ` (count: ${count}  last_ts: ${seconds(time)})`;
}

/** A time in seconds, with µs. */
export function seconds(ns: bigint): string {
  const us = (BigInt.asUintN(64, ns) + 500n) / 1000n;
  return `${String(us / 1_000_000n).padStart(5)}.${
    String(us % 1_000_000n).padStart(6, "0")
  }`;
}

function stackText(
  { event, bytes }: HandledRecord,
  guest: TracecmdGuest,
): string {
  const field = anyField(event, "caller");
  if (field === undefined) return "<CANT FIND FIELD caller>";
  const { longSize } = guest;
  let text = "<stack trace >\n";
  for (let at = field.offset; at < bytes.size; at += longSize) {
    const address = readNumber(bytes, at, longSize);
    // The end is all ones; of 64 bits, it looks at the low half alone.
    if ((address & 0xffffffffn) === 0xffffffffn) break;
    const found = guest.function(address);
    const hex = address.toString(16);
    text += found === undefined ? `=> ${hex}\n` : `=> ${found.name} (${hex})\n`;
  }
  return text;
}

function rawText(record: HandledRecord, { longSize }: TracecmdGuest): string {
  const { event, bytes } = record;
  const id = value(record, "id");
  if (id === undefined) return "!";
  const field = anyField(event, "buf");
  if (field === undefined) {
    return `# ${id.toString(16)}<CANT FIND FIELD buf>`;
  }
  let text = `# ${id.toString(16)}`;
  for (let at = field.offset; at < bytes.size; at += longSize) {
    for (let i = at; i < Math.min(at + 8, bytes.size); i++) {
      text += ` ${bytes.u8(i).toString(16).padStart(2, "0")}`;
    }
  }
  return text;
}

function commText(
  { event, bytes }: HandledRecord,
  name: string,
  pid: bigint,
  comms: Pick<KnownComms, "add">,
): string {
  const field = anyField(event, name);
  if (field === undefined) return "";
  const comm = bytes.string(field.offset, field.size);
  comms.add(Number(BigInt.asIntN(32, pid)), comm);
  return `${comm}:`;
}

const signed = (number: bigint) => BigInt.asIntN(64, number);
const int = (number: bigint) => BigInt.asIntN(32, number);

function wakeupText(
  record: HandledRecord,
  comms: Pick<KnownComms, "add">,
): string {
  const pid = value(record, "pid");
  if (pid === undefined) return "!";
  let text = commText(record, "comm", pid, comms) + signed(pid);
  const prio = value(record, "prio");
  if (prio !== undefined) text += ` [${signed(prio)}]`;
  const success = value(record, "success");
  if (success !== undefined) text += ` success=${signed(success)}`;
  const cpu = value(record, "target_cpu");
  if (cpu !== undefined) text += ` CPU:${String(cpu).padStart(3, "0")}`;
  return text;
}

function switchText(
  record: HandledRecord,
  comms: Pick<KnownComms, "add">,
): string {
  const prev = value(record, "prev_pid");
  if (prev === undefined) return "!";
  let text = `${commText(record, "prev_comm", prev, comms)}${signed(prev)} `;
  const prio = value(record, "prev_prio");
  if (prio !== undefined) text += `[${int(prio)}] `;
  const state = value(record, "prev_state");
  if (state !== undefined) text += stateText(state);
  text += " ==> ";
  const next = value(record, "next_pid");
  if (next === undefined) return `${text}!`;
  text += `${commText(record, "next_comm", next, comms)}${signed(next)}`;
  const nextPrio = value(record, "next_prio");
  return nextPrio === undefined ? text : `${text} [${int(nextPrio)}]`;
}

/** States of threads by their bits. */
function stateText(state: bigint): string {
  const names = [..."SDTtZXxW"].filter((_, bit) => state >> BigInt(bit) & 1n);
  return names.length === 0 ? "R" : names.join("|");
}

function timerText(
  record: HandledRecord,
  guest: TracecmdGuest,
  expires: boolean,
): string {
  const number = (name: string, base: number) => {
    const found = value(record, name);
    // It says so when there is no such field.
    return found === undefined
      ? `CAN'T FIND FIELD "${name}"`
      : `${base === 16 ? "0x" : ""}${found.toString(base)}`;
  };
  const timer = value(record, "timer") === undefined ? "hrtimer" : "timer";
  const address = value(record, "function");
  const found = address === undefined ? undefined : guest.function(address);
  const func = address === undefined
    ? ""
    : ` function=${
      found === undefined
        ? `0x${address.toString(16).padStart(8, "0")}`
        // The difference is taken the wrong way around.
        : `${found.name}/0x${
          BigInt.asUintN(64, found.address - address).toString(16)
        }`
    }`;
  const start = `hrtimer=${number(timer, 16)}`;
  return expires
    ? `${start} now=${number("now", 10)}${func}`
    : `${start}${func} expires=${number("expires", 10)} softexpires=${
      number("softexpires", 10)
    }`;
}

function callSite(record: HandledRecord, guest: TracecmdGuest): string {
  const { event } = record;
  const field = event.fields.find(({ name }) => name === "call_site");
  const address = field === undefined ? undefined : value(record, "call_site");
  const found = address === undefined ? undefined : guest.function(address);
  if (address === undefined || found === undefined) return "";
  const offset = BigInt.asUintN(32, address - found.address);
  return `(${found.name}+0x${offset.toString(16)}) `;
}

const TLB_REASONS = [
  "flush on task switch",
  "remote shootdown",
  "local shootdown",
  "local mm shootdown",
];

function tlbText(record: HandledRecord): string {
  const pages = value(record, "pages") ?? 0n;
  const reason = value(record, "reason");
  const text = `pages=${signed(pages)}`;
  if (reason === undefined) return text;
  const name = TLB_REASONS[Number(reason)] ?? "";
  return `${text} reason=${name} (${signed(reason)})`;
}

/** FUTEX_* commands and how their arguments are shown (plugin_futex.c). */
const FUTEX: readonly (readonly [string, string, string, string, string])[] = [
  ["FUTEX_WAIT", "0x", "utime", "", ""],
  ["FUTEX_WAKE", "d", "", "", ""],
  ["FUTEX_FD", "d", "", "", ""],
  ["FUTEX_REQUEUE", "d", "val2", "uaddr2", ""],
  ["FUTEX_CMP_REQUEUE", "d", "val2", "uaddr2", "val3"],
  ["FUTEX_WAKE_OP", "d", "val2", "uaddr2", "val3"],
  ["FUTEX_LOCK_PI", "", "utime", "", ""],
  ["FUTEX_UNLOCK_PI", "", "", "", ""],
  ["FUTEX_TRYLOCK_PI", "", "", "", ""],
  ["FUTEX_WAIT_BITSET", "0x", "utime", "", "val3"],
  ["FUTEX_WAKE_BITSET", "d", "", "", "val3"],
  ["FUTEX_WAIT_REQUEUE_PI", "0x", "utime", "uaddr2", "val3"],
  ["FUTEX_CMP_REQUEUE_PI", "d", "val2", "uaddr2", "val3"],
];
const HEX8 = parseConversion("%08llx")!;

function futexText(record: HandledRecord): Handled {
  const names = ["uaddr", "op", "val", "utime", "uaddr2", "val3"];
  const values = names.map((name) => value(record, name));
  // It complains and then prints the event by its format.
  if (values.some((each) => each === undefined)) {
    return { text: "", goesOn: true };
  }
  const [uaddr, op, val, utime, uaddr2, val3] = values as bigint[];
  // FUTEX_CMD_MASK is an int: the upper half of the number stays.
  const command = op & ~0x180n;
  const found = command < BigInt(FUTEX.length)
    ? FUTEX[Number(command)]
    : undefined;
  if (found === undefined) return { text: "", goesOn: true };
  const [name, valForm, utimeForm, uaddr2Form, val3Form] = found;
  const hex = (number: bigint) => `0x${printNumber(HEX8, number, 64)}`;
  let text = `op=${name}`;
  if (op & 0x80n) text += "|FUTEX_PRIVATE_FLAG";
  if (op & 0x100n) text += "|FUTEX_CLOCK_REALTIME";
  text += ` uaddr=${hex(uaddr)}`;
  if (valForm !== "") text += ` val=${valForm === "d" ? val : hex(val)}`;
  if (utimeForm === "utime") text += ` utime=${hex(utime)}`;
  if (utimeForm === "val2") text += ` val2=${utime}`;
  if (uaddr2Form !== "") text += ` uaddr2=${hex(uaddr2)}`;
  if (val3Form !== "") text += ` val3=${hex(val3)}`;
  return { text };
}
