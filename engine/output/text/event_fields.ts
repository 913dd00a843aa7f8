/**
 * Renders an event's fields in the way of the trace option `fields`
 * (kernel/trace/trace_output.c, print_event_fields), for kernels that have this
 * option.
 *
 * @module
 */

import {
  dynamicKind,
  type EventField,
  type EventFormat,
} from "../../ftrace/events/formats.ts";
import { byteChar } from "./byte_text.ts";
import type { TextEnvironment } from "./environment.ts";
import type { RecordBytes } from "./record.ts";

/**
 * Maximum length of a string behind a pointer: STATIC_FMT_BUF_SIZE, less its
 * NUL.
 */
const POINTED_STRING = 127;

type FieldText = (record: RecordBytes) => string;

/**
 * A renderer of all fields including the newline, but without the event's name.
 */
export function fieldsRenderer(
  format: EventFormat,
  env: TextEnvironment,
): FieldText {
  if (format.fields.length === 0) return () => "No fields found\n";
  const filters = filterTypes(env);
  const parts = format.fields.map((field): FieldText => {
    const label = ` ${field.name}=`;
    const text = fieldText(field, filters.get(field.filterType ?? -1), env);
    return (record) =>
      field.offset + field.size > record.size
        ? label + "<OVERFLOW>"
        : label + text(record);
  });
  return (record) => {
    let text = "";
    for (const part of parts) text += part(record);
    return text + "\n";
  };
}

/** `FILTER_*`, by which the kernel tells strings from numbers. */
export const FILTERS = [
  "FILTER_OTHER",
  "FILTER_STATIC_STRING",
  "FILTER_DYN_STRING",
  "FILTER_RDYN_STRING",
  "FILTER_PTR_STRING",
  "FILTER_TRACE_FN",
  "FILTER_COMM",
  "FILTER_CPU",
] as const;
type Filter = (typeof FILTERS)[number];

function filterTypes(env: TextEnvironment): Map<number, Filter> {
  const byValue = new Map<number, Filter>();
  for (const name of FILTERS) {
    const value = env.enumerator?.(name);
    if (value !== undefined) byValue.set(value, name);
  }
  return byValue;
}

function fieldText(
  field: EventField,
  filter: Filter | undefined,
  env: TextEnvironment,
): FieldText {
  const { offset, size } = field;
  switch (filter) {
    case "FILTER_COMM":
    case "FILTER_STATIC_STRING":
      return (record) => record.string(offset, size);
    case "FILTER_DYN_STRING":
    case "FILTER_RDYN_STRING":
      return dynamic(
        filter === "FILTER_RDYN_STRING" ? offset + 4 : 0,
        offset,
        env.cleansStrings === true
          ? cleaned
          : (record, at, length) => record.string(at, length),
      );
    case "FILTER_PTR_STRING":
      return (record) => pointed(record, offset, env);
    case "FILTER_TRACE_FN":
      return (record) => place(record.u32(offset), record.u32(offset + 4), env);
    case "FILTER_CPU":
    case "FILTER_OTHER":
      return numberText(field, env);
    case undefined:
      return () => "<INVALID-TYPE>";
  }
}

function numberText(field: EventField, env: TextEnvironment): FieldText {
  const { offset } = field;
  switch (field.size) {
    case 1:
      return (record) => {
        const byte = record.u8(offset);
        return (isPrint(byte) ? `'${byteChar(byte)}'` : "") + `(${byte})`;
      };
    case 2:
      return (record) => both(record.u16(offset), record.u16(offset));
    case 4: {
      const kind = dynamicKind(field);
      return kind === undefined
        ? placed(
          field,
          env,
          (record) => both(record.u32(offset), record.s32(offset)),
        )
        : dynamic(kind === "rel_loc" ? offset + 4 : 0, offset, byteList);
    }
    case 8:
      return env.namesFieldValues === true
        ? (record) => namedValue(record, offset, env)
        : (record) => both(record.u64(offset), record.s64(offset));
    default:
      return () => "<INVALID-SIZE>";
  }
}

/** Fields that refer to a place by its offset from `_stext`. */
const PLACES: ReadonlySet<string> = new Set(["caller_offs", "parent_offs"]);

/** A number of 4 bytes; of a place in the kernel, with its name before it. */
function placed(
  field: EventField,
  env: TextEnvironment,
  text: FieldText,
): FieldText {
  const start = env.kernelStart;
  if (
    env.namesFieldValues !== true || start === undefined ||
    !PLACES.has(field.name)
  ) {
    return text;
  }
  return (record) => {
    const at = BigInt.asUintN(64, start + BigInt(record.u32(field.offset)));
    const name = env.symbols.pS(
      Number(at & 0xffffffffn),
      Number(at >> 32n),
    );
    return `${name} ${text(record)}`;
  };
}

/** A string; if not all of it can be printed, with dots, then its bytes. */
function cleaned(record: RecordBytes, at: number, length: number): string {
  let clean = true;
  for (let i = 0; i < length && clean; i++) {
    const byte = record.u8(at + i);
    clean = byte === 0 || isAscii(byte);
  }
  if (clean) return record.string(at, length);
  let text = "";
  let bytes = "";
  for (let i = 0; i < length; i++) {
    const byte = record.u8(at + i);
    text += isAscii(byte) ? String.fromCharCode(byte) : ".";
    bytes += (i > 0 ? ":" : "") + byte.toString(16).padStart(2, "0");
  }
  return `${text} (${bytes})`;
}

/** `isascii` and `isprint`. */
function isAscii(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

/** `0x%x (%d)`. */
function both(unsigned: number | bigint, signed: number | bigint): string {
  return `0x${unsigned.toString(16)} (${signed})`;
}

/** lib/ctype.c: the upper half of Latin-1 is printable, except 0x80-0x9f. */
function isPrint(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f || byte >= 0xa0;
}

/** A field whose bytes are elsewhere in the entry. */
function dynamic(
  base: number,
  offset: number,
  text: (record: RecordBytes, at: number, length: number) => string,
): FieldText {
  return (record) => {
    const at = base + record.u16(offset);
    // The kernel treats the whole word as signed, so a huge length is negative.
    const length = record.s32(offset) >> 16;
    if (at + length > record.size) return "<OVERFLOW>";
    return text(record, at, length);
  };
}

/** `print_array`: `01,ff,20`. */
function byteList(record: RecordBytes, at: number, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) {
    if (i > 0) text += ",";
    text += record.u8(at + i).toString(16).padStart(2, "0");
  }
  return text;
}

/**
 * `%pS`, of the boot before where the kernel finds it: since it names values
 * (namesFieldValues).
 */
function place(lo: number, hi: number, env: TextEnvironment): string {
  return env.symbols.pS(...adjusted(lo, hi, env) ?? [lo, hi]);
}

function adjusted(lo: number, hi: number, env: TextEnvironment) {
  return env.namesFieldValues === true ? env.adjusted?.(lo, hi) : undefined;
}

/** `%pS (%lld)`; both of the address where the kernel finds it. */
function namedValue(
  record: RecordBytes,
  offset: number,
  env: TextEnvironment,
): string {
  const lo = record.u32(offset);
  const hi = record.u32(offset + 4);
  const adjusted = env.adjusted?.(lo, hi);
  return adjusted === undefined
    ? `${env.symbols.pS(lo, hi)} (${record.s64(offset)})`
    : `${env.symbols.pS(...adjusted)} (${signed(...adjusted)})`;
}

function signed(lo: number, hi: number): bigint {
  return BigInt(hi | 0) << 32n | BigInt(lo);
}

function pointed(
  record: RecordBytes,
  offset: number,
  env: TextEnvironment,
): string {
  const recorded = [record.u32(offset), record.u32(offset + 4)] as const;
  const [lo, hi] = adjusted(...recorded, env) ?? recorded;
  const address = "0x" + record.u64(offset).toString(16).padStart(16, "0");
  // Addresses of user space are refused, regardless of what is there.
  const string = hi >= 0x80000000 ? env.string(lo, hi) : undefined;
  return string === undefined
    ? `(${address})`
    : `(${address}:${string.substring(0, POINTED_STRING)})`;
}
