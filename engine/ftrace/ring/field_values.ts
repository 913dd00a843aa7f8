/**
 * Reads the values of event fields in place, from the pages that the columns
 * point into. No read leaves its event; what lies outside is treated as absent.
 *
 * @module
 */
import { dynamicKind, type EventField } from "../events/formats.ts";
import type { EventColumns, PageArena } from "./columns.ts";

/** Rows of events, with the pages that hold their payloads. */
export interface EventRows {
  readonly columns: EventColumns;
  readonly arena: PageArena;
}

const TWO32 = 4294967296;
const DECODER = new TextDecoder();

/** The 32 bits at a byte offset from the start of an event; 0 past its end. */
export function wordAt(rows: EventRows, row: number, at: number): number {
  const { columns, arena } = rows;
  if (at + 4 > columns.size[row]) return 0;
  const start = columns.offset[row] + at;
  return (start & 3) === 0
    ? arena.words[start >>> 2]
    : arena.view.getUint32(start, true);
}

/**
 * The value of an integer field; NaN when the field is not an integer or is
 * absent. 64-bit values are rounded to a Number; {@linkcode exactAt} is exact.
 */
export function integerAt(
  rows: EventRows,
  row: number,
  field: EventField,
): number {
  const { columns, arena } = rows;
  if (field.offset + field.size > columns.size[row]) return NaN;
  return integer(
    arena.view,
    columns.offset[row] + field.offset,
    field.size,
    field.signed,
  );
}

/** Like {@linkcode integerAt}, but a bigint where a Number would lose bits. */
export function exactAt(
  rows: EventRows,
  row: number,
  field: EventField,
): number | bigint {
  const { columns, arena } = rows;
  if (field.offset + field.size > columns.size[row]) return NaN;
  return exact(
    arena.view,
    columns.offset[row] + field.offset,
    field.size,
    field.signed,
  );
}

function integer(
  view: DataView,
  at: number,
  size: number,
  signed: boolean,
): number {
  switch (size) {
    case 1:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 4:
      return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    case 8: {
      const lo = view.getUint32(at, true);
      return signed
        ? view.getInt32(at + 4, true) * TWO32 + lo
        : view.getUint32(at + 4, true) * TWO32 + lo;
    }
    default:
      return NaN;
  }
}

function exact(
  view: DataView,
  at: number,
  size: number,
  signed: boolean,
): number | bigint {
  const value = integer(view, at, size, signed);
  if (size !== 8 || Number.isSafeInteger(value)) return value;
  return signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
}

/** The text in a field, up to its NUL; invalid UTF-8 is replaced. */
export function textAt(
  rows: EventRows,
  row: number,
  field: EventField,
): string {
  const { columns, arena } = rows;
  const base = columns.offset[row];
  const start = base + startOf(rows, row, field);
  const end = base + endOf(rows, row, field);
  let out = "";
  const { bytes } = arena;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === 0) return out;
    if (byte >= 0x80) {
      let stop = i;
      while (stop < end && bytes[stop] !== 0) stop++;
      return DECODER.decode(bytes.slice(start, stop));
    }
    out += String.fromCharCode(byte);
  }
  return out;
}

/**
 * The numbers of an array field.
 *
 * @param size bytes per number: 1, 2, 4 or 8
 */
export function arrayAt(
  rows: EventRows,
  row: number,
  field: EventField,
  size: number,
): (number | bigint)[] {
  const base = rows.columns.offset[row];
  const end = base + endOf(rows, row, field);
  const values: (number | bigint)[] = [];
  for (
    let at = base + startOf(rows, row, field);
    at + size <= end;
    at += size
  ) values.push(exact(rows.arena.view, at, size, field.signed));
  return values;
}

/** Start of an array's bytes, relative to the start of the event. */
function startOf(rows: EventRows, row: number, field: EventField): number {
  const dynamic = dynamicKind(field);
  if (dynamic === undefined) return field.offset;
  const place = wordAt(rows, row, field.offset) & 0xffff;
  // A relative location counts from the end of the field.
  return dynamic === "rel_loc" ? place + field.offset + 4 : place;
}

/** End of an array's bytes, relative to the start of the event. */
function endOf(rows: EventRows, row: number, field: EventField): number {
  const size = rows.columns.size[row];
  // An array without a length extends to the end of the event.
  const length = dynamicKind(field) !== undefined
    ? wordAt(rows, row, field.offset) >>> 16
    : field.size === 0
    ? size
    : field.size;
  return Math.min(size, startOf(rows, row, field) + length);
}
