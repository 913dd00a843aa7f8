/**
 * One conversion of C's printf, as glibc does it: `%08lx`, `%-16s`, `%.3d`.
 * (The kernel's own differs, and is in engine/output/text/.)
 *
 * @module
 */
import { padBytes } from "../text/printf/printf_number.ts";

/** A conversion, without the `%`. */
export interface Conversion {
  readonly left: boolean;
  readonly zero: boolean;
  readonly hash: boolean;
  readonly plus: string;
  readonly width: number | "*";
  readonly precision: number | "*" | undefined;
  readonly type: string;
}

/** A width or a precision that is more than anyone can read. */
const MOST_WIDTH = 4096;

/** Parses `%-08.3lx`; undefined if it is none. */
export function parseConversion(text: string): Conversion | undefined {
  const found =
    /^%([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(?:hh|h|ll|l|L|z|Z|j|t|q)*([a-zA-Z])/
      .exec(text);
  if (found === null) return undefined;
  const [all, flags, width, precision, type] = found;
  const dot = all.includes(".");
  const number = (digits: string) =>
    digits === "*" ? "*" : Math.min(MOST_WIDTH, Number(digits));
  return {
    left: flags.includes("-"),
    zero: flags.includes("0"),
    hash: flags.includes("#"),
    plus: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "",
    width: width === undefined ? 0 : number(width),
    precision: !dot
      ? undefined
      : precision === undefined
      ? 0
      : number(precision),
    type,
  };
}

/** Puts the number that `*` takes into the conversion. */
export function withStar(conversion: Conversion, star: number): Conversion {
  const bounded = Math.max(-MOST_WIDTH, Math.min(MOST_WIDTH, star));
  if (conversion.width === "*") {
    return {
      ...conversion,
      width: Math.abs(bounded),
      left: conversion.left || bounded < 0,
    };
  }
  return {
    ...conversion,
    precision: bounded < 0 ? undefined : bounded,
  };
}

/** A number; its bits are those of the type that the length modifier names. */
export function printNumber(
  conversion: Conversion,
  value: bigint,
  bits: number,
): string {
  const { type, plus, hash, left, zero } = conversion;
  const width = conversion.width === "*" ? 0 : conversion.width;
  const precision = conversion.precision === "*"
    ? undefined
    : conversion.precision;
  const signed = type === "d" || type === "i";
  const number = signed
    ? BigInt.asIntN(bits, value)
    : BigInt.asUintN(bits, value);
  let digits = (number < 0n ? -number : number).toString(
    type === "o" ? 8 : type === "x" || type === "X" ? 16 : 10,
  );
  if (precision === 0 && number === 0n) digits = "";
  if (precision !== undefined) digits = digits.padStart(precision, "0");
  let sign = number < 0n ? "-" : signed ? plus : "";
  if (hash && number !== 0n && (type === "x" || type === "X")) sign = "0x";
  if (hash && type === "o" && !digits.startsWith("0")) sign = "0";
  if (zero && !left && precision === undefined) {
    digits = digits.padStart(width - sign.length, "0");
  }
  const text = type === "X" ? (sign + digits).toUpperCase() : sign + digits;
  return left ? text.padEnd(width) : text.padStart(width);
}

/** A text. */
export function printString(conversion: Conversion, value: string): string {
  const { width, precision, left } = conversion;
  const text = typeof precision === "number"
    ? value.slice(0, precision)
    : value;
  const columns = width === "*" ? 0 : width;
  return columns === 0 ? text : padBytes(text, left ? -columns : columns);
}
