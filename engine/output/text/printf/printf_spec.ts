/**
 * Parses format strings in the way of the kernel's vsnprintf (lib/vsprintf.c,
 * format_decode).
 *
 * @module
 */

/** Maximum width or precision. */
const MAX_SIZE = 32767;

/** The width or precision is the next argument (`*`). */
export const STAR = -2;

/** A conversion (`%-10s`, `%08lx`, `%pI4`) and the text before it. */
export interface FormatPiece {
  /** The text before the conversion. */
  readonly literal: string;
  /** The conversion; `undefined` in a last piece that is only text. */
  readonly spec: FormatSpec | undefined;
}

/** A conversion. */
export interface FormatSpec {
  /** `-`: pad on the right. */
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  /** `#`: prefix with 0x or 0. */
  readonly special: boolean;
  readonly zeroPad: boolean;
  /** Field width in bytes; -1 if not given, {@linkcode STAR} for `*`. */
  readonly width: number;
  /** Precision; -1 if not given, {@linkcode STAR} for `*`. */
  readonly precision: number;
  /** Size of an integer argument in bytes; 0 for `c`, `s`, `p`, `%`. */
  readonly size: 0 | 1 | 2 | 4 | 8;
  /** `d`, `u`, `x`, `X`, `o`, `c`, `s`, `p`, `%`, or `?` when invalid. */
  readonly conversion:
    | "d"
    | "u"
    | "x"
    | "X"
    | "o"
    | "c"
    | "s"
    | "p"
    | "%"
    | "?";
  /** The letters and digits after `%p` (`S`, `I6c`, `UL`). */
  readonly pointer: string;
}

const QUALIFIED = /^(hh|h|ll|L|l|z|Z|t)?(.?)/s;

/** Splits a format string into pieces; never throws. */
export function parseFormat(format: string): FormatPiece[] {
  const pieces: FormatPiece[] = [];
  let literal = "";
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf("%", at);
    if (percent < 0) break;
    literal += format.substring(at, percent);
    const { spec, next } = parseSpec(format, percent + 1);
    at = next;
    if (spec.conversion === "%") {
      literal += "%";
      continue;
    }
    pieces.push({ literal, spec });
    literal = "";
    // The kernel prints nothing after an unsupported conversion.
    if (spec.conversion === "?") return pieces;
  }
  literal += format.substring(at);
  if (literal !== "") pieces.push({ literal, spec: undefined });
  return pieces;
}

function parseSpec(
  format: string,
  start: number,
): { spec: FormatSpec; next: number } {
  let at = start;
  let flags = "";
  while (at < format.length && "-+ #0".includes(format[at])) {
    flags += format[at++];
  }
  let width = -1;
  if (format[at] === "*") {
    width = STAR;
    at++;
  } else {
    [width, at] = digits(format, at, -1);
  }
  let precision = -1;
  if (format[at] === ".") {
    at++;
    if (format[at] === "*") {
      precision = STAR;
      at++;
    } else {
      const before = at;
      [precision, at] = digits(format, at, -1);
      // In the kernel, a lone "." leaves the precision unset.
      if (at === before) precision = -1;
    }
  }
  const match = QUALIFIED.exec(format.substring(at, at + 3));
  const qualifier = match?.[1] ?? "";
  const letter = match?.[2] ?? "";
  at += qualifier.length + letter.length;
  let pointer = "";
  if (letter === "p") {
    pointer = /^[0-9A-Za-z]*/.exec(format.substring(at))![0];
    at += pointer.length;
  }
  const conversion = conversionOf(letter);
  return {
    spec: {
      left: flags.includes("-"),
      plus: flags.includes("+"),
      space: flags.includes(" "),
      special: flags.includes("#"),
      zeroPad: flags.includes("0"),
      width,
      precision,
      size: "duxXo".includes(conversion) ? sizeOf(qualifier) : 0,
      conversion,
      pointer,
    },
    next: at,
  };
}

function digits(text: string, at: number, none: number): [number, number] {
  const start = at;
  while (at < text.length && text[at] >= "0" && text[at] <= "9") at++;
  return at === start
    ? [none, at]
    : [fieldSize(Number(text.substring(start, at))), at];
}

/**
 * A width or precision, whose absolute value is limited: an event may ask for
 * any. The kernel limits precisions to the same value (PRECISION_MAX) and widths
 * to a larger one, but no line of its trace files is that long (trace_seq).
 */
export function fieldSize(size: number): number {
  return Math.max(-MAX_SIZE, Math.min(MAX_SIZE, size));
}

function sizeOf(qualifier: string): 1 | 2 | 4 | 8 {
  switch (qualifier) {
    case "hh":
      return 1;
    case "h":
      return 2;
    case "":
      return 4;
    default:
      return 8;
  }
}

function conversionOf(letter: string): FormatSpec["conversion"] {
  switch (letter) {
    case "i":
      return "d";
    case "d":
    case "u":
    case "x":
    case "X":
    case "o":
    case "c":
    case "s":
    case "p":
    case "%":
      return letter;
    default:
      return "?";
  }
}
