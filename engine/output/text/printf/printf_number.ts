/**
 * Renders numbers and strings in the way of the kernel's vsnprintf
 * (lib/vsprintf.c, `number` and `string`).
 *
 * @module
 */

import type { FormatSpec } from "./printf_spec.ts";

/**
 * An integer conversion. `value` is first reduced to the size and sign of the
 * conversion, as va_arg would.
 *
 * @param width field width; for `*`, the value of the argument
 * @param precision likewise
 */
export function formatInteger(
  value: number | bigint,
  spec: FormatSpec,
  width: number,
  precision: number,
): string {
  const signed = spec.conversion === "d";
  const number = reduce(value, spec.size, signed);
  if (
    width < 0 && precision < 0 && !spec.special && !spec.plus && !spec.space
  ) {
    // Nearly all conversions take this branch.
    return digitsOf(number, spec.conversion);
  }
  const negative = signed && number < 0;
  const digits = digitsOf(negative ? -number : number, spec.conversion)
    .padStart(precision, "0");
  const sign = negative
    ? "-"
    : !signed
    ? ""
    : spec.plus
    ? "+"
    : spec.space
    ? " "
    : "";
  const prefix = !spec.special
    ? ""
    : spec.conversion === "x"
    ? "0x"
    : spec.conversion === "X"
    ? "0X"
    : spec.conversion === "o" && number !== 0 && number !== 0n
    ? "0"
    : "";
  const room = width - sign.length - prefix.length;
  if (spec.left) return (sign + prefix + digits).padEnd(Math.max(0, width));
  if (spec.zeroPad) return sign + prefix + digits.padStart(room, "0");
  return (sign + prefix + digits).padStart(width);
}

/**
 * A string conversion: precision truncates, width pads, and both count bytes.
 */
export function formatString(
  text: string,
  left: boolean,
  width: number,
  precision: number,
): string {
  if (precision >= 0) text = cutBytes(text, precision);
  return width > 0 ? padBytes(text, left ? -width : width) : text;
}

/** Pads to `width` bytes of UTF-8, on the right when `width` is negative. */
export function padBytes(text: string, width: number): string {
  const missing = Math.abs(width) - byteLength(text);
  if (missing <= 0) return text;
  return width < 0 ? text + " ".repeat(missing) : " ".repeat(missing) + text;
}

const NON_ASCII = /[\u0080-\uffff]/;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

function byteLength(text: string): number {
  return NON_ASCII.test(text) ? ENCODER.encode(text).length : text.length;
}

function cutBytes(text: string, bytes: number): string {
  if (!NON_ASCII.test(text)) return text.substring(0, bytes);
  return DECODER.decode(ENCODER.encode(text).slice(0, bytes));
}

function reduce(
  value: number | bigint,
  size: number,
  signed: boolean,
): number | bigint {
  if (size === 8) {
    const wide = typeof value === "bigint" ? value : BigInt(value);
    return signed ? BigInt.asIntN(64, wide) : BigInt.asUintN(64, wide);
  }
  const word = typeof value === "bigint"
    ? Number(BigInt.asIntN(32, value))
    : value;
  switch (size) {
    case 1:
      return signed ? word << 24 >> 24 : word & 0xff;
    case 2:
      return signed ? word << 16 >> 16 : word & 0xffff;
    default:
      return signed ? word | 0 : word >>> 0;
  }
}

function digitsOf(
  value: number | bigint,
  conversion: FormatSpec["conversion"],
): string {
  switch (conversion) {
    case "x":
      return value.toString(16);
    case "X":
      return value.toString(16).toUpperCase();
    case "o":
      return value.toString(8);
    default:
      return value.toString();
  }
}
