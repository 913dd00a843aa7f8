/**
 * Compiled expressions: closures over the record, with static C types.
 *
 * A value is a Number for integers of at most 4 bytes and for offsets into
 * the record, a BigInt for 8-byte integers and kernel pointers, and a string
 * for text.
 *
 * @module
 */

import type { EventField } from "../../../ftrace/events/formats.ts";
import { dynamicKind } from "../../../ftrace/events/formats.ts";
import type { TextEnvironment } from "../environment.ts";
import { RecordBytes } from "../record.ts";
import {
  type ExpressionType,
  type IntegerType,
  type RecordPointer,
  typeOfWords,
} from "./ctype.ts";
import { PrintFmtError } from "./lexer.ts";

/** A value; its kind is given by the static type. */
export type Value = number | bigint | string;

/** A compiled expression. */
export interface Code {
  readonly type: ExpressionType;
  /** The value, if it is the same for every event. */
  readonly constant?: Value;
  readonly run: (record: RecordBytes) => Value;
}

/** What compiling an expression needs. */
export interface Scope {
  readonly fields: ReadonlyMap<string, EventField>;
  readonly env: TextEnvironment;
}

/** Passed instead of a record if the value does not depend on it. */
const EMPTY = new RecordBytes();

/** A constant. */
export function constant(type: ExpressionType, value: Value): Code {
  return { type, constant: value, run: () => value };
}

/** A computed value, which is constant if everything in `from` is constant. */
export function computed(
  type: ExpressionType,
  from: readonly Code[],
  run: (record: RecordBytes) => Value,
): Code {
  if (from.every((code) => code.constant !== undefined)) {
    return constant(type, run(EMPTY));
  }
  return { type, run };
}

/** Reduces a value to the range of an integer type. */
export function wrap(
  type: IntegerType,
  value: number | bigint,
): number | bigint {
  if (type.size === 8) {
    const wide = typeof value === "bigint" ? value : BigInt(value);
    return type.signed ? BigInt.asIntN(64, wide) : BigInt.asUintN(64, wide);
  }
  const word = typeof value === "bigint"
    ? Number(BigInt.asIntN(32, value))
    : value | 0;
  switch (type.size) {
    case 1:
      return type.signed ? word << 24 >> 24 : word & 0xff;
    case 2:
      return type.signed ? word << 16 >> 16 : word & 0xffff;
    default:
      return type.signed ? word : word >>> 0;
  }
}

/**
 * Whether two integer types have the same values in the same representation.
 */
export function sameInt(a: IntegerType, b: IntegerType): boolean {
  return a.size === b.size && a.signed === b.signed;
}

/** Converts to an integer type, like a cast or an assignment. */
export function toInt(code: Code, type: IntegerType): Code {
  switch (code.type.kind) {
    case "int":
      if (sameInt(code.type, type)) return code;
      break;
    case "kernel":
      if (type.size === 8 && !type.signed) return { ...code, type };
      break;
    default:
      throw new PrintFmtError(
        `a ${code.type.kind} pointer is used as a number`,
      );
  }
  return computed(
    type,
    [code],
    (record) => wrap(type, code.run(record) as number | bigint),
  );
}

/** An integer, or the address of a kernel pointer, as an integer. */
export function asInt(code: Code): Code & { readonly type: IntegerType } {
  if (code.type.kind === "int") return code as Code & { type: IntegerType };
  const type: IntegerType = { kind: "int", size: 8, signed: false };
  return { ...toInt(code, type), type };
}

/** Whether the value counts as true. */
export function asTest(code: Code): (record: RecordBytes) => boolean {
  // A pointer into the record and a text are never null.
  if (code.type.kind === "record" || code.type.kind === "text") {
    return () => true;
  }
  const run = code.run;
  return (record) => {
    const value = run(record);
    return value !== 0 && value !== 0n;
  };
}

/** Loads the target of a record pointer with a static or dynamic offset. */
export function load(type: ExpressionType, pointer: Code): Code {
  if (type.kind === "record" || type.kind === "text") {
    throw new PrintFmtError("what a pointer points to is no plain value");
  }
  const at = pointer.constant;
  if (typeof at === "number") {
    return { type, run: staticLoad(type, at) };
  }
  const run = pointer.run;
  const read = dynamicLoad(type);
  return { type, run: (record) => read(record, run(record) as number) };
}

/** The value of a field: an integer, a pointer, or the location of an array. */
export function fieldCode(field: EventField): Code {
  const type = fieldType(field);
  if (type.kind === "record") return constantPlace(type, field.offset);
  return { type, run: staticLoad(type, field.offset) };
}

/** The static type of `REC->field`. */
export function fieldType(field: EventField): ExpressionType {
  if (dynamicKind(field) !== undefined) {
    return { kind: "int", size: 4, signed: false };
  }
  const text = field.type;
  if (text.includes("[")) {
    const element = typeOfWords(words(text.substring(0, text.indexOf("["))));
    const stars = text.includes("*");
    if (stars) return arrayOf(kernelPointer(text), field.size);
    return arrayOf(element, field.size);
  }
  if (text.includes("*")) return kernelPointer(text);
  if (isIntSize(field.size)) {
    const named = typeOfWords(words(text));
    // The size and sign stated by the kernel take precedence over those that
    // the name suggests.
    if (named !== undefined || !/\b(struct|union)\b/.test(text)) {
      return { kind: "int", size: field.size, signed: field.signed };
    }
  }
  return arrayOf(undefined, field.size);
}

/** A location in the record that is the same for every event. */
export function constantPlace(type: RecordPointer, offset: number): Code {
  // Not combined with other constants, since the offset has no meaning by
  // itself.
  return { type, constant: offset, run: () => offset };
}

function arrayOf(
  element: ExpressionType | undefined,
  length: number,
): RecordPointer {
  return {
    kind: "record",
    to: element,
    stride: element === undefined ? 1 : sizeOfType(element),
    length,
  };
}

/** Size of a value of that type, in bytes. */
export function sizeOfType(type: ExpressionType): number {
  return type.kind === "int" ? type.size : 8;
}

function kernelPointer(text: string): ExpressionType {
  const to = typeOfWords(words(text.substring(0, text.indexOf("*"))));
  return { kind: "kernel", to, stride: to === undefined ? 1 : to.size };
}

function words(text: string): string[] {
  return text.trim().split(/\s+/).filter((word) => word !== "");
}

function isIntSize(size: number): size is 1 | 2 | 4 | 8 {
  return size === 1 || size === 2 || size === 4 || size === 8;
}

function staticLoad(
  type: ExpressionType,
  at: number,
): (record: RecordBytes) => number | bigint {
  const read = dynamicLoad(type);
  if (type.kind === "int") {
    // A single closure with a single call, since nearly every event prints
    // fields.
    switch (type.size) {
      case 4:
        return type.signed
          ? (record) => record.s32(at)
          : (record) => record.u32(at);
      case 8:
        return type.signed
          ? (record) => record.s64(at)
          : (record) => record.u64(at);
    }
  }
  return (record) => read(record, at);
}

function dynamicLoad(
  type: ExpressionType,
): (record: RecordBytes, at: number) => number | bigint {
  if (type.kind !== "int") return (record, at) => record.u64(at);
  switch (type.size) {
    case 1:
      return type.signed
        ? (record, at) => record.s8(at)
        : (record, at) => record.u8(at);
    case 2:
      return type.signed
        ? (record, at) => record.s16(at)
        : (record, at) => record.u16(at);
    case 4:
      return type.signed
        ? (record, at) => record.s32(at)
        : (record, at) => record.u32(at);
    default:
      return type.signed
        ? (record, at) => record.s64(at)
        : (record, at) => record.u64(at);
  }
}

/**
 * The place in the record to which a pointer points.
 *
 * @throws {PrintFmtError} if it points elsewhere.
 */
export function startOf(
  code: Code,
  name: string,
): (record: RecordBytes) => number {
  if (code.type.kind !== "record") {
    throw new PrintFmtError(`${name}() is given bytes outside the event`);
  }
  return code.run as (record: RecordBytes) => number;
}
