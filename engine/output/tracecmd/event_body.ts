/**
 * Writes what follows an event's name in a line: by a handler, or by its
 * `print fmt`, whose usual conversions are written as bytes without a string or
 * a bigint.
 *
 * @module
 */
import type { EventColumns } from "../../ftrace/ring/columns.ts";
import type { DatEvent, DatField } from "../../tracedat/format_file.ts";
import { KeptTexts, NumberedTexts } from "../text/bytes/kept_texts.ts";
import type { TextBuffer } from "../text/bytes/text_buffer.ts";
import type { RecordBytes } from "../text/record.ts";
import { bprintText } from "./bprint_args.ts";
import type { EventHandler, HandledRecord } from "./event_handlers.ts";
import type { EventText, Piece } from "./event_text.ts";
import type { PrintArg } from "./print_arg.ts";
import { anyField, dynamicPlace } from "./print_values.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

type Write = (out: TextBuffer, bytes: RecordBytes) => void;

/** An event for a handler; one object serves for all of its kind. */
class Handling implements HandledRecord {
  readonly event: DatEvent;
  readonly bytes: RecordBytes;
  columns: EventColumns | undefined;
  row = 0;

  constructor(event: DatEvent, bytes: RecordBytes) {
    this.event = event;
    this.bytes = bytes;
  }

  get cpu(): number {
    return this.columns?.cpu[this.row] ?? 0;
  }

  get time(): bigint {
    return this.columns?.timeAt(this.row) ?? 0n;
  }
}

/** Writes the bodies of one kind of event. */
export class EventBody {
  readonly #handler: EventHandler | undefined;
  readonly #event: DatEvent;
  readonly #own: Write;
  #handling: Handling | undefined;

  constructor(
    text: EventText,
    guest: TracecmdGuest,
    handler: EventHandler | undefined,
  ) {
    const { event } = text;
    this.#event = event;
    this.#handler = handler;
    this.#own = event.system === "ftrace" && event.name === "bprint"
      ? (out, bytes) => out.text(bprintText(bytes, guest, text))
      : ownWriter(text, guest);
  }

  /** Writes the body of a row, whose bytes are given. */
  write(
    out: TextBuffer,
    bytes: RecordBytes,
    columns: EventColumns,
    row: number,
  ): void {
    if (this.#handler !== undefined) {
      if (this.#handling?.bytes !== bytes) {
        this.#handling = new Handling(this.#event, bytes);
      }
      this.#handling.columns = columns;
      this.#handling.row = row;
      const { text, goesOn } = this.#handler(this.#handling);
      out.text(text);
      if (goesOn === undefined) return;
    }
    this.#own(out, bytes);
  }
}

/** Writes an event by its `print fmt`. */
function ownWriter(text: EventText, guest: TracecmdGuest): Write {
  const { pieces } = text;
  if (pieces === undefined) return (out, bytes) => out.text(text.text(bytes));
  const writes = pieces.map((piece) => pieceWriter(piece, text, guest));
  return (out, bytes) => {
    for (let i = 0; i < writes.length; i++) writes[i](out, bytes);
  };
}

function pieceWriter(
  piece: Piece,
  text: EventText,
  guest: TracecmdGuest,
): Write {
  if (typeof piece === "string") {
    const texts = new KeptTexts();
    const place = texts.add(piece);
    return (out) => out.kept(texts, place);
  }
  const one = [piece];
  const general: Write = (out, bytes) => out.text(text.print(one, bytes));
  if (piece.star !== undefined) return general;
  switch (piece.conversion.type) {
    case "p":
      return general;
    case "s":
      return stringWriter(piece, text, guest) ??
        rememberedWriter(piece, text) ?? general;
    default:
      return numberWriter(piece, text) ?? rememberedWriter(piece, text) ??
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
): Write | undefined {
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
  const digits: Write | undefined = type === "x"
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
): Write | undefined {
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
): Write | undefined {
  const field = soleField(piece.arg, text.event);
  const halves = field === undefined ? undefined : fieldHalves(field);
  if (halves === undefined) return undefined;
  const { low, high } = halves;
  const texts = new NumberedTexts();
  const one = [piece];
  return (out, bytes) => {
    const lo = low(bytes);
    const hi = high(bytes);
    const place = texts.find(lo, hi);
    out.kept(
      texts,
      place < 0 ? texts.keep(lo, hi, text.print(one, bytes)) : place,
    );
  };
}

/**
 * The field that is a number on which alone an argument depends; undefined if it
 * depends on others, on none, or on anything but the event.
 */
function soleField(arg: PrintArg, event: DatEvent): DatField | undefined {
  let sole: DatField | undefined;
  const isPure = (each: PrintArg): boolean => {
    switch (each.kind) {
      case "none":
      case "atom":
      case "text":
        return true;
      case "field": {
        const field = anyField(event, each.name);
        if (
          field === undefined || field.array || field.dynamic ||
          (sole !== undefined && sole !== field)
        ) return false;
        sole = field;
        return true;
      }
      case "cast":
        return isPure(each.item);
      case "op":
        return each.op !== "[" && isPure(each.left) && isPure(each.right);
      case "flags":
      case "symbol":
        return isPure(each.value);
      default:
        return false;
    }
  };
  // A text that a number points to is elsewhere.
  return arg.kind !== "field" && isPure(arg) ? sole : undefined;
}
