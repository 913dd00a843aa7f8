/**
 * Guest objects as text, for `console.log`, and as plain data, for JSON. Both
 * are bounded, and pointers are not followed.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import {
  type ArrayType,
  type CType,
  pointerTo,
  type StructType,
} from "../btf/c_type.ts";
import { shown, shownText } from "../../base/shown.ts";
import { symbolAt, type Values } from "./context.ts";
import { readInteger } from "./integers.ts";
import { elementPlace, memberPlace, type Place } from "./places.ts";

/** How many members of a struct are shown. */
const MOST_MEMBERS = 300;
/** Nested structs with more members than this are not shown. */
const MOST_INNER = 8;
/** How many elements of an array are shown. */
const MOST_ELEMENTS = 8;
/** How many levels of nested structs are shown. */
const MOST_LEVELS = 3;
/** How many bytes of a text behind a pointer are shown. */
const MOST_TEXT = 64;
const PRINTABLE = /^[\x20-\x7e]+$/;
/** How many elements of an array go into JSON. */
const MOST_JSON = 1024;
/** Maximum number of values in JSON, over all nested structs. */
const MOST_VALUES = 1 << 20;
const MOST_NESTED = 64;

/** A struct as text, one line for each member. */
export function inspectStruct(
  values: Values,
  type: StructType,
  gva: bigint,
): string {
  const { members } = type.layout;
  let text = `${shown(type.name)} at ${hex(gva)} {\n`;
  let count = 0;
  for (const [name, member] of members) {
    if (++count > MOST_MEMBERS) {
      text += `  ... ${members.size - MOST_MEMBERS} more\n`;
      break;
    }
    const place = memberPlace(values.kernel, gva, member);
    text += `  ${shown(name)}: ${inspectPlace(values, place, 1)},\n`;
  }
  return `${text}}`;
}

/** An array as text. */
export function inspectArray(
  values: Values,
  type: ArrayType,
  gva: bigint,
): string {
  return `${shown(type.name)} at ${hex(gva)} ${elements(values, type, gva, 0)}`;
}

/** A pointer as text, with the symbol or the text that it points to. */
export function inspectPointer(
  values: Values,
  target: CType,
  gva: bigint,
): string {
  const symbol = symbolAt(values.kernel, gva);
  const text = symbol === undefined ? textAt(values, target, gva) : undefined;
  const what = symbol !== undefined
    ? `<${symbol}>`
    : text ?? `(${pointerTo(target).name})`;
  return `${hex(gva)} ${shown(what)}`;
}

/** The text that a `char *` points to, if it is valid text. */
function textAt(
  { kernel }: Values,
  target: CType,
  gva: bigint,
): string | undefined {
  if (target.kind !== "int" || !target.char) return undefined;
  try {
    const text = kernel.space.string(gva, MOST_TEXT);
    return PRINTABLE.test(text) ? quoted(text) : undefined;
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}

/** The object at a place, on one line. */
function inspectPlace(values: Values, place: Place, level: number): string {
  const { type, gva, bits } = place;
  try {
    if (type.kind === "struct") return inner(values, type, gva, level);
    if (type.kind === "array" && !isText(type)) {
      return elements(values, type, gva, level);
    }
    if (type.kind === "pointer") {
      const to = readInteger(values.kernel.space, type, gva);
      return to === 0n ? "null" : inspectPointer(values, type.target, to);
    }
    const value = values.at(type, gva, bits);
    if (typeof value === "string") return quoted(value);
    return typeof value === "bigint" ? `${value}n` : shown(String(value));
  } catch (error) {
    if (error instanceof MemoryError) return "<cannot be read>";
    throw error;
  }
}

/** Guest text, with everything escaped that could control a terminal. */
function quoted(text: string): string {
  return shownText(JSON.stringify(text));
}

function inner(
  values: Values,
  type: StructType,
  gva: bigint,
  level: number,
): string {
  const { members } = type.layout;
  if (level >= MOST_LEVELS || members.size > MOST_INNER) {
    return `${shown(type.name)} at ${hex(gva)}`;
  }
  const parts = [...members].map(([name, member]) =>
    `${shown(name)}: ${
      inspectPlace(values, memberPlace(values.kernel, gva, member), level + 1)
    }`
  );
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

function elements(
  values: Values,
  type: ArrayType,
  gva: bigint,
  level: number,
): string {
  const { element, length } = type;
  const parts: string[] = [];
  for (let i = 0; i < Math.min(length, MOST_ELEMENTS); i++) {
    parts.push(
      inspectPlace(values, elementPlace(element, gva, i), level + 1),
    );
  }
  if (length > MOST_ELEMENTS) parts.push(`... ${length - MOST_ELEMENTS} more`);
  return parts.length === 0 ? "[]" : `[ ${parts.join(", ")} ]`;
}

/** Whether an array is text. */
function isText({ element }: ArrayType): boolean {
  return element.kind === "int" && element.char;
}

/**
 * The object at a place as plain data: pointers are addresses in hex, 64-bit
 * numbers decimal text, and `null` stands for what cannot be read.
 *
 * @throws {KernelError} when there are more than 2^20 values.
 */
export function jsonOf(values: Values, place: Place): unknown {
  let left = MOST_VALUES;
  const data = (place: Place, level: number): unknown => {
    if (--left < 0 || level > MOST_NESTED) {
      throw new KernelError(
        `${place.type.name} has too many members to be written as JSON`,
      );
    }
    const { type, gva } = place;
    switch (type.kind) {
      case "struct": {
        const members: Record<string, unknown> = {};
        for (const [name, member] of type.layout.members) {
          const inner = memberPlace(values.kernel, gva, member);
          members[name] = data(inner, level + 1);
        }
        return members;
      }
      case "array": {
        if (isText(type) && type.length > 0) return scalar(values, place);
        const list: unknown[] = [];
        for (let i = 0; i < Math.min(type.length, MOST_JSON); i++) {
          list.push(data(elementPlace(type.element, gva, i), level + 1));
        }
        return list;
      }
      default:
        return scalar(values, place);
    }
  };
  return data(place, 0);
}

/** A value that is not an object, for JSON. */
function scalar(values: Values, { type, gva, bits }: Place): unknown {
  try {
    if (type.kind === "pointer") {
      const to = readInteger(values.kernel.space, type, gva);
      return to === 0n ? null : hex(to);
    }
    const value = values.at(type, gva, bits);
    return typeof value === "bigint" ? value.toString() : value;
  } catch (error) {
    if (error instanceof MemoryError) return null;
    throw error;
  }
}
