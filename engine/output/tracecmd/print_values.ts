/**
 * Evaluates arguments of a `print fmt` for one event, as libtraceevent does
 * (event-parse.c): all numbers are unsigned 64-bit ones, and casts cut bits off.
 *
 * @module
 */
import type { DatEvent, DatField } from "../../tracedat/format_file.ts";
import { type Conversion, printString } from "./c_printf.ts";
import type { RecordBytes } from "../text/record.ts";
import type { NamedValue, OpArg, PrintArg } from "./print_arg.ts";
import { castValue, numberOfText, operate } from "./print_numbers.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** Elements of an array that are printed. */
const MOST_ELEMENTS = 65_536;

/** Enumerators that old kernels left in their formats by name. */
const KNOWN_FLAGS: Readonly<Record<string, bigint>> = {
  HI_SOFTIRQ: 0n,
  TIMER_SOFTIRQ: 1n,
  NET_TX_SOFTIRQ: 2n,
  NET_RX_SOFTIRQ: 3n,
  BLOCK_SOFTIRQ: 4n,
  IRQ_POLL_SOFTIRQ: 5n,
  TASKLET_SOFTIRQ: 6n,
  SCHED_SOFTIRQ: 7n,
  HRTIMER_SOFTIRQ: 8n,
  RCU_SOFTIRQ: 9n,
  HRTIMER_NORESTART: 0n,
  HRTIMER_RESTART: 1n,
};

/** An event whose arguments are evaluated. */
export interface PrintRecord {
  readonly event: DatEvent;
  readonly bytes: RecordBytes;
}

/** Finds a field, first among the common ones. */
export function anyField(event: DatEvent, name: string): DatField | undefined {
  return event.common.find((field) => field.name === name) ??
    event.fields.find((field) => field.name === name);
}

/** An unsigned number; 0 for a size that is none, or beyond the entry. */
export function readNumber(
  bytes: RecordBytes,
  offset: number,
  size: number,
): bigint {
  switch (size) {
    case 1:
      return BigInt(bytes.u8(offset));
    case 2:
      return BigInt(bytes.u16(offset));
    case 4:
      return BigInt(bytes.u32(offset));
    case 8:
      return bytes.u64(offset);
    default:
      return 0n;
  }
}

/** Where the bytes of a dynamic field are. */
export function dynamicPlace(
  field: DatField,
  bytes: RecordBytes,
): { offset: number; length: number } {
  if (field.offset + field.size > bytes.size) return { offset: 0, length: 0 };
  const value = Number(readNumber(bytes, field.offset, field.size));
  let offset = value & 0xffff;
  let length = field.size === 2
    ? bytes.size - offset
    : (value / 65536) & 0xffff;
  if (offset + length > bytes.size) length = 0;
  if (offset > bytes.size) offset = 0;
  if (field.relative) offset += field.offset + field.size;
  return { offset, length };
}

/** Evaluates and prints arguments. */
export class PrintValues {
  readonly #guest: TracecmdGuest;

  constructor(guest: TracecmdGuest) {
    this.#guest = guest;
  }

  /** The value of a number. */
  number(record: PrintRecord, arg: PrintArg): bigint {
    switch (arg.kind) {
      case "atom": {
        const value = numberOfText(arg.text);
        return value !== 0n || /^\d/.test(arg.text)
          ? value
          : this.#guest.symbol(arg.text) ?? 0n;
      }
      case "field": {
        const field = anyField(record.event, arg.name);
        return field === undefined
          ? 0n
          : readNumber(record.bytes, field.offset, field.size);
      }
      case "cast":
        return castValue(this.number(record, arg.item), arg.type);
      case "op":
        return this.#operation(record, arg);
      case "dynamic":
        // An address in the entry; only what is read from it is shown.
        return BigInt(dynamicPlace(arg.field, record.bytes).offset);
      case "dynamicLength":
        return BigInt(dynamicPlace(arg.field, record.bytes).length);
      case "call":
        return this.#call(record, arg.name, arg.args).value;
      default:
        return 0n;
    }
  }

  #operation(record: PrintRecord, { op, left, right }: OpArg): bigint {
    if (op === "[") {
      const value = this.#element(record, left, this.number(record, right));
      if (value !== undefined) return value;
    }
    if (op === "?") {
      if (right.kind !== "op") return 0n;
      return this.number(record, left) !== 0n
        ? this.number(record, right.left)
        : this.number(record, right.right);
    }
    const b = this.number(record, right);
    if (left.kind === "none") {
      if (op === "!") return b === 0n ? 1n : 0n;
      if (op === "~") return BigInt.asUintN(64, ~b);
    }
    // It knows this one for constants alone.
    if (op === "^") return 0n;
    return operate(op, this.number(record, left), b) ?? 0n;
  }

  #element(
    { event, bytes }: PrintRecord,
    array: PrintArg,
    index: bigint,
  ): bigint | undefined {
    let inner = array;
    let type: string | undefined;
    while (inner.kind === "cast") {
      type ??= inner.type;
      inner = inner.item;
    }
    let value: bigint;
    const at = Number(BigInt.asUintN(32, index));
    if (inner.kind === "dynamic") {
      const { field } = inner;
      const size = field.element > 0 ? field.element : this.#guest.longSize;
      // The index counts bytes here.
      value = readNumber(bytes, dynamicPlace(field, bytes).offset + at, size);
    } else if (inner.kind === "field") {
      const field = anyField(event, inner.name);
      if (field === undefined) return 0n;
      const { offset, element } = field;
      value = readNumber(bytes, offset + at * element, element);
    } else {
      return undefined;
    }
    return type === undefined ? value : castValue(value, type.slice(0, -2));
  }

  /** What a function returns, and what it prints. */
  #call(
    record: PrintRecord,
    name: string,
    args: readonly PrintArg[],
  ): { value: bigint; text: string } {
    const value = args.length > 0 ? this.number(record, args[0]) : 0n;
    const word = Number(value & 0xffffffffn);
    switch (name) {
      case "jbd2_dev_to_name":
        return { value: 0n, text: `${word >>> 20}:${word & 0xfffff}` };
      case "jiffies_to_msecs":
        return { value, text: String(BigInt.asIntN(64, value)) };
      case "__le16_to_cpup":
        return {
          value: readNumber(record.bytes, Number(value), 2),
          text: "",
        };
      case "xen_hypercall_name":
        return { value: 0n, text: XEN_HYPERCALLS.get(word) ?? "" };
      default:
        return { value: 0n, text: "" };
    }
  }

  /** An argument as text. */
  text(record: PrintRecord, conversion: Conversion, arg: PrintArg): string {
    const { event, bytes } = record;
    const show = (text: string) => printString(conversion, text);
    switch (arg.kind) {
      case "atom":
      case "text":
        return show(arg.text);
      case "field": {
        const field = anyField(event, arg.name);
        if (field === undefined) return "";
        if (!field.array && field.size === this.#guest.longSize) {
          const address = readNumber(bytes, field.offset, field.size);
          return this.#guest.text(address) ?? address.toString(16);
        }
        const length = field.size === 0
          ? bytes.size - field.offset
          : field.size;
        return show(bytes.string(field.offset, Math.max(0, length)));
      }
      case "flags":
        return this.#flags(record, conversion, arg);
      case "symbol": {
        const value = this.number(record, arg.value);
        const found = arg.names.find((each) =>
          BigInt.asUintN(64, flagValue(each)) === value
        );
        return found === undefined
          ? `0x${value.toString(16)}`
          : show(found.name);
      }
      case "hex": {
        const place = this.#place(record, arg.value);
        if (place === undefined) return "";
        const count = this.#count(record, arg.size);
        const digits: string[] = [];
        for (let i = 0; i < count && place + i < bytes.size; i++) {
          digits.push(bytes.u8(place + i).toString(16).padStart(2, "0"));
        }
        return digits.join(arg.spaces ? " " : "");
      }
      case "array": {
        const place = this.#place(record, arg.value);
        if (place === undefined) return "";
        const count = this.#count(record, arg.count);
        const size = Number(this.number(record, arg.size));
        const values: string[] = [];
        for (let i = 0; i < count && place + i * size < bytes.size; i++) {
          values.push(String(readNumber(bytes, place + i * size, size)));
        }
        return values.join(" ");
      }
      case "string": {
        const field = anyField(event, arg.name);
        if (field === undefined) return "";
        const { offset, length } = dynamicPlace(field, bytes);
        return length === 0 ? "" : show(bytes.string(offset));
      }
      case "bitmask":
      case "cpumask": {
        const field = anyField(event, arg.name);
        if (field === undefined) return "";
        const { offset, length } = dynamicPlace(field, bytes);
        const mask: number[] = [];
        for (let i = 0; i < length; i++) mask.push(bytes.u8(offset + i));
        if (this.#guest.bigEndian) mask.reverse();
        return show(arg.kind === "bitmask" ? hexMask(mask) : cpuList(mask));
      }
      case "op":
        if (arg.op !== "?" || arg.right.kind !== "op") return "";
        return this.text(
          record,
          conversion,
          this.number(record, arg.left) !== 0n
            ? arg.right.left
            : arg.right.right,
        );
      case "call":
        return this.#call(record, arg.name, arg.args).text;
      default:
        return "";
    }
  }

  #count(record: PrintRecord, arg: PrintArg): number {
    return Math.min(
      MOST_ELEMENTS,
      Number(BigInt.asUintN(32, this.number(record, arg))),
    );
  }

  #place({ event, bytes }: PrintRecord, arg: PrintArg): number | undefined {
    if (arg.kind === "dynamic") return dynamicPlace(arg.field, bytes).offset;
    return arg.kind === "field" ? anyField(event, arg.name)?.offset : undefined;
  }

  #flags(
    record: PrintRecord,
    conversion: Conversion,
    arg: PrintArg & { kind: "flags" },
  ): string {
    let value = BigInt.asIntN(64, this.number(record, arg.value));
    let text = "";
    let printed = false;
    for (const each of arg.names) {
      const flag = flagValue(each);
      if (value === 0n && flag < 0n) {
        text += printString(conversion, each.name);
        break;
      }
      if (flag <= 0n || (value & flag) !== flag) continue;
      if (printed) text += arg.delimiter;
      text += printString(conversion, each.name);
      printed = true;
      value &= ~flag;
    }
    if (value === 0n) return text;
    if (printed) text += arg.delimiter;
    return `${text}0x${BigInt.asUintN(64, value).toString(16)}`;
  }
}

/** The value of a flag; -1 for a name that is not known. */
function flagValue({ value }: NamedValue): bigint {
  if (/^\d/.test(value)) return BigInt.asIntN(64, numberOfText(value));
  return KNOWN_FLAGS[value] ?? -1n;
}

/** A mask in hex, with a comma between words of 32 bits. */
function hexMask(little: readonly number[]): string {
  let text = "";
  for (let i = little.length - 1; i >= 0; i--) {
    text += little[i].toString(16).padStart(2, "0");
    if (i > 0 && i % 4 === 0) text += ",";
  }
  return text;
}

/** The numbers of CPUs in a mask: `0-3,8`. */
function cpuList(little: readonly number[]): string {
  const parts: string[] = [];
  const has = (bit: number) => (little[bit >> 3] ?? 0) >> (bit & 7) & 1;
  for (let bit = 0; bit < little.length * 8; bit++) {
    if (!has(bit)) continue;
    const first = bit;
    while (has(bit + 1)) bit++;
    parts.push(bit > first ? `${first}-${bit}` : String(first));
  }
  return parts.join(",");
}

/** Numbers of Xen's hypercalls (include/xen/interface/xen.h). */
const XEN_HYPERCALLS: ReadonlyMap<number, string> = new Map(
  ([
    [0, "set_trap_table mmu_update set_gdt stack_switch set_callbacks"],
    [5, "fpu_taskswitch sched_op_compat dom0_op set_debugreg get_debugreg"],
    [10, "update_descriptor"],
    [12, "memory_op multicall update_va_mapping set_timer_op"],
    [16, "event_channel_op_compat xen_version console_io physdev_op_compat"],
    [20, "grant_table_op vm_assist update_va_mapping_otherdomain iret vcpu_op"],
    [25, "set_segment_base mmuext_op acm_op nmi_op sched_op callback_op"],
    [31, "xenoprof_op event_channel_op physdev_op hvm_op"],
    [48, "arch_0 arch_1 arch_2 arch_3 arch_4 arch_5 arch_6 arch_7"],
  ] as const).flatMap(([first, names]) =>
    names.split(" ").map((name, i) => [first + i, `(${name})`] as const)
  ),
);
