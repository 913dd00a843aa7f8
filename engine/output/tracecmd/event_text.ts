/**
 * An event's own text: its `print fmt`, filled in; or, if libtraceevent does not
 * understand that, its fields.
 *
 * @module
 */
import type { DatEvent, DatField } from "../../tracedat/format_file.ts";
import type { RecordBytes } from "../text/record.ts";
import {
  type Conversion,
  parseConversion,
  printNumber,
  withStar,
} from "./c_printf.ts";
import type { PrintArg } from "./print_arg.ts";
import { type FormatAndArgs, parseFormatArgs } from "./print_args.ts";
import { UnreadableFormat } from "./print_tokens.ts";
import { pointerLength, printPointer } from "./pointer_text.ts";
import { dynamicPlace, PrintValues, readNumber } from "./print_values.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** A part of a format: text, or a conversion with its arguments. */
export type Piece =
  | string
  | {
    readonly conversion: Conversion;
    /** What follows `%p`: `S`, `M`, `I4`. */
    readonly pointer: string;
    /** Bits of a number. */
    readonly bits: number;
    readonly arg: PrintArg;
    readonly star: PrintArg | undefined;
  };

/** Text of events of one kind. */
export class EventText {
  readonly event: DatEvent;
  readonly #guest: TracecmdGuest;
  readonly #values: PrintValues;
  /** Undefined when the `print fmt` is not understood. */
  readonly pieces: readonly Piece[] | undefined;
  /** Fields of text that turned out to be bytes. */
  readonly #bytes = new Set<DatField>();

  constructor(event: DatEvent, guest: TracecmdGuest) {
    this.event = event;
    this.#guest = guest;
    this.#values = new PrintValues(guest);
    this.pieces = this.#parse();
  }

  #parse(): readonly Piece[] | undefined {
    const { event } = this;
    let parsed: FormatAndArgs;
    try {
      parsed = parseFormatArgs(event, this.#guest.longSize);
    } catch (error) {
      if (error instanceof UnreadableFormat) return undefined;
      throw error;
    }
    const { format, args } = parsed;
    // Old kernels gave no arguments for Ftrace's own events.
    const given = args.length === 0 && event.system === "ftrace"
      ? event.fields.map(({ name }): PrintArg => ({ kind: "field", name }))
      : args;
    const { pieces, whole } = formatPieces(format, given);
    // Without an argument for each conversion, it gives up.
    return whole ? pieces : undefined;
  }

  /** The text of an event. */
  text(bytes: RecordBytes): string {
    if (this.pieces === undefined) {
      return `[FAILED TO PARSE]${this.#fields(bytes)}`;
    }
    return this.print(this.pieces, bytes);
  }

  /** Fills in a format. */
  print(pieces: readonly Piece[], bytes: RecordBytes): string {
    const record = { event: this.event, bytes };
    let text = "";
    for (const piece of pieces) {
      if (typeof piece === "string") {
        text += piece;
        continue;
      }
      const { arg, star, bits, pointer } = piece;
      const count = star === undefined
        ? undefined
        : Number(BigInt.asIntN(32, this.#values.number(record, star)));
      const conversion = count === undefined
        ? piece.conversion
        : withStar(piece.conversion, count);
      switch (conversion.type) {
        case "p":
          text += printPointer(
            pointer,
            this.#values,
            record,
            arg,
            this.#guest,
            count,
          );
          break;
        case "s":
          text += this.#values.text(record, conversion, arg);
          break;
        default:
          text += printNumber(
            conversion,
            this.#values.number(record, arg),
            bits,
          );
      }
    }
    return text;
  }

  /** ` name=value` of each field. */
  #fields(bytes: RecordBytes): string {
    let text = "";
    for (const field of this.event.fields) {
      text += ` ${field.name}=${this.#field(field, bytes)}`;
    }
    return text;
  }

  #field(field: DatField, bytes: RecordBytes): string {
    if (field.array) return this.#array(field, bytes);
    const value = readNumber(bytes, field.offset, field.size);
    const hex = `0x${value.toString(16)}`;
    if (field.pointer) return hex;
    if (!field.signed) return field.long ? hex : String(value);
    const signed = BigInt.asIntN(field.size * 8, value);
    switch (field.size) {
      case 4:
        return field.long ? hex : String(signed);
      case 2:
        return String(signed).padStart(2);
      default:
        return String(signed);
    }
  }

  #array(field: DatField, bytes: RecordBytes): string {
    const { offset, length } = field.dynamic
      ? dynamicPlace(field, bytes)
      : { offset: field.offset, length: field.size };
    if (field.text && !this.#bytes.has(field)) {
      let printable = true;
      for (let i = 0; i < length && printable; i++) {
        const byte = bytes.u8(offset + i);
        if (byte === 0) break;
        printable = (byte >= 0x20 && byte < 0x7f) ||
          (byte >= 0x09 && byte <= 0x0d);
      }
      if (printable) return bytes.string(offset);
    }
    // From now on it is shown so, whatever is in it.
    this.#bytes.add(field);
    const all: string[] = [];
    for (let i = 0; i < length; i++) {
      all.push(bytes.u8(offset + i).toString(16).padStart(2, "0"));
    }
    return `ARRAY[${all.join(", ")}]`;
  }
}

/**
 * The parts of a format string with their arguments.
 *
 * @returns also whether there is an argument for each conversion
 */
export function formatPieces(
  format: string,
  args: readonly PrintArg[],
): { pieces: Piece[]; whole: boolean } {
  const pieces: Piece[] = [];
  let whole = true;
  let next = 0;
  let at = 0;
  while (at < format.length) {
    if (format[at] !== "%" || format[at + 1] === "%") {
      const { text, end } = plainText(format, at);
      pieces.push(text);
      at = end;
      continue;
    }
    const flags = /^%[-#0-9.*hlLzZ]*/.exec(format.slice(at, at + 64))![0];
    const type = format[at + flags.length];
    at += flags.length + 1;
    if (type === undefined) break;
    if (!/[pduixXos]/.test(type)) {
      pieces.push(`>${type}<`);
      continue;
    }
    const star = flags.includes("*") ? args[next++] : undefined;
    const arg = args[next++];
    if (arg === undefined) {
      whole = false;
      break;
    }
    let pointer = "";
    if (type === "p") {
      pointer = format.slice(at, at + pointerLength(format.slice(at, at + 8)));
      at += pointer.length;
    }
    const conversion = parseConversion(flags + type);
    if (conversion === undefined) break;
    const size = (flags.match(/[lzZ]/g)?.length ?? 0) +
      2 * (flags.match(/L/g)?.length ?? 0) -
      (flags.match(/h/g)?.length ?? 0);
    // A long of the guest is read as one of 64 bits.
    const bits = size <= -2 ? 8 : size === -1 ? 16 : size === 0 ? 32 : 64;
    pieces.push({ conversion, pointer, bits, arg, star });
  }
  return { pieces, whole };
}

/** Text up to the next conversion, with its escapes replaced. */
function plainText(
  format: string,
  from: number,
): { text: string; end: number } {
  let text = "";
  let at = from;
  for (; at < format.length; at++) {
    const char = format[at];
    if (char === "\\") {
      const next = format[++at];
      text += next === undefined
        ? ""
        : ({ n: "\n", t: "\t", r: "\r" } as Record<string, string>)[next] ??
          next;
    } else if (char === "%") {
      if (format[at + 1] !== "%") break;
      text += "%";
      at++;
    } else text += char;
  }
  return { text, end: at };
}
