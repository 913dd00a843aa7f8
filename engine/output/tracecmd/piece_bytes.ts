/**
 * Writes the pieces of a `print fmt` as bytes: the usual conversions without a
 * string or a bigint, what only one number of the event determines as it was
 * written before, and all others as strings.
 *
 * @module
 */
import type { DatEvent, DatField } from "../../tracedat/format_file.ts";
import { KeptTexts } from "../text/bytes/kept_texts.ts";
import type { TextRoom } from "../text/bytes/numbered_texts.ts";
import type { TextBuffer } from "../text/bytes/text_buffer.ts";
import type { RecordBytes } from "../text/record.ts";
import type { EventText, Piece } from "./event_text.ts";
import type { PrintArg } from "./print_arg.ts";
import { anyField, dynamicPlace } from "./print_values.ts";
import { soleArgField } from "./sole_arg_field.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** Writes a part of an event. */
export type WriteBytes = (out: TextBuffer, bytes: RecordBytes) => void;

/** Writers of all pieces of a format, in their order. */
export function pieceWriters(
  pieces: readonly Piece[],
  text: EventText,
  guest: TracecmdGuest,
  room: TextRoom,
): readonly WriteBytes[] {
  const texts = new KeptTexts();
  return pieces.map((piece) => {
    if (typeof piece !== "string") {
      return conversionWriter(piece, text, guest, room);
    }
    const place = texts.add(piece);
    return (out) => out.kept(texts, place);
  });
}

function conversionWriter(
  piece: Conversion,
  text: EventText,
  guest: TracecmdGuest,
  room: TextRoom,
): WriteBytes {
  const one = [piece];
  const general: WriteBytes = (out, bytes) => out.text(text.print(one, bytes));
  if (piece.star !== undefined) return general;
  switch (piece.conversion.type) {
    case "p":
      return general;
    case "s":
      return stringWriter(piece, text, guest) ??
        rememberedWriter(piece, text, room) ?? general;
    default:
      return numberWriter(piece, text) ?? rememberedWriter(piece, text, room) ??
        general;
  }
}

type Conversion = Exclude<Piece, string>;

/** Reads the halves of an unsigned number. */
interface Halves {
  readonly low: (bytes: RecordBytes) => number;
  readonly high: (bytes: RecordBytes) => number;
}

/** A field that is a number, also behind casts, as libtraceevent reads it. */
function halvesOf(event: DatEvent, arg: PrintArg): Halves | undefined {
  switch (arg.kind) {
    case "field": {
      const field = anyField(event, arg.name);
      return field === undefined ? undefined : fieldHalves(field);
    }
    case "cast": {
      const inner = halvesOf(event, arg.item);
      if (inner === undefined) return undefined;
      const bits = castBits(arg.type);
      if (bits === 64) return inner;
      const mask = bits === 32 ? -1 : (1 << bits) - 1;
      return {
        low: (bytes) => (inner.low(bytes) & mask) >>> 0,
        high: () => 0,
      };
    }
    default:
      return undefined;
  }
}

function fieldHalves({ offset, size }: DatField): Halves | undefined {
  const high = () => 0;
  switch (size) {
    case 1:
      return { low: (bytes) => bytes.u8(offset), high };
    case 2:
      return { low: (bytes) => bytes.u16(offset), high };
    case 4:
      return { low: (bytes) => bytes.u32(offset), high };
    case 8:
      return {
        low: (bytes) => offset + 8 <= bytes.size ? bytes.u32(offset) : 0,
        high: (bytes) => bytes.u32(offset + 4),
      };
    default:
      return undefined;
  }
}

/** How many bits a cast leaves; see `castValue`. */
function castBits(type: string): 8 | 16 | 32 | 64 {
  switch (type.startsWith("unsigned ") ? type.slice(9) : type) {
    case "u8":
    case "s8":
    case "char":
      return 8;
    case "u16":
    case "s16":
    case "short":
      return 16;
    case "u32":
    case "s32":
    case "int":
      return 32;
    default:
      return 64;
  }
}

/** `%d`, `%lu`, `0x%08lx` and so on of a field. */
function numberWriter(
  { conversion, bits, arg }: Conversion,
  { event }: EventText,
): WriteBytes | undefined {
  const { type, width, precision, left, hash, plus, zero } = conversion;
  if (
    precision !== undefined || left || hash || plus !== "" ||
    width === "*" || (bits !== 32 && bits !== 64)
  ) return undefined;
  // Zeros of a negative number stand behind its sign.
  if (width > 0 && type !== "x" && type !== "u") return undefined;
  const halves = halvesOf(event, arg);
  if (halves === undefined) return undefined;
  const { low } = halves;
  const high = bits === 64 ? halves.high : () => 0;
  const digits: WriteBytes | undefined = type === "x"
    ? (out, bytes) => out.hex64(low(bytes), high(bytes))
    : type === "u"
    ? (out, bytes) => out.decimal64(low(bytes), high(bytes))
    : type !== "d" && type !== "i"
    ? undefined
    : bits === 64
    ? (out, bytes) => out.signed64(low(bytes), high(bytes))
    : (out, bytes) => out.decimal(low(bytes) | 0);
  if (digits === undefined || width === 0) return digits;
  const filler = zero ? 0x30 : 0x20;
  return (out, bytes) => {
    const start = out.length;
    digits(out, bytes);
    out.filled(start, width, filler);
  };
}

/** `%s` of text in the event. */
function stringWriter(
  { conversion, arg }: Conversion,
  { event }: EventText,
  { longSize }: TracecmdGuest,
): WriteBytes | undefined {
  if (conversion.width !== 0 || conversion.precision !== undefined) {
    return undefined;
  }
  if (arg.kind !== "field" && arg.kind !== "string") return undefined;
  const field = anyField(event, arg.name);
  if (field === undefined) return undefined;
  if (arg.kind === "string") {
    return (out, bytes) => {
      const { offset, length } = dynamicPlace(field, bytes);
      if (length !== 0) bytes.writeString(out, offset);
    };
  }
  if (!field.array && field.size === longSize) return undefined;
  return (out, bytes) => {
    const length = field.size === 0 ? bytes.size - field.offset : field.size;
    bytes.writeString(out, field.offset, Math.max(0, length));
  };
}

/** What only one number of the event determines. */
function rememberedWriter(
  piece: Conversion,
  text: EventText,
  room: TextRoom,
): WriteBytes | undefined {
  const field = soleArgField(piece.arg, text.event);
  const halves = field === undefined ? undefined : fieldHalves(field);
  if (halves === undefined) return undefined;
  const { low, high } = halves;
  const texts = room.table();
  const one = [piece];
  return (out, bytes) => {
    const lo = low(bytes);
    const hi = high(bytes);
    const place = texts.find(lo, hi);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, lo, hi, text.print(one, bytes));
  };
}
