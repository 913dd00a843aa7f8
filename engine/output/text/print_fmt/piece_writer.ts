/**
 * Writes the pieces of a print_fmt as bytes. The conversions that nearly all
 * events consist of read the event and write digits; a text that only one number
 * of the event determines (flags, states) is kept with that number; all others
 * are rendered as strings.
 *
 * @module
 */
import {
  dynamicKind,
  type EventField,
} from "../../../ftrace/events/formats.ts";
import { KeptTexts, NumberedTexts } from "../bytes/kept_texts.ts";
import type { TextBuffer } from "../bytes/text_buffer.ts";
import type { EntryWriter } from "../entries.ts";
import type { FormatSpec } from "../printf/printf_spec.ts";
import { STAR } from "../printf/printf_spec.ts";
import type { RecordBytes } from "../record.ts";
import { fieldType, type Scope } from "./code.ts";
import { compileExpression } from "./expression.ts";
import type { Node } from "./parser.ts";

/** A piece of a format with what renders its conversion. */
export interface BoundPiece {
  readonly literal: string;
  readonly run?: (record: RecordBytes) => string;
  /** The conversion and its argument, without those that `*` takes. */
  readonly spec?: FormatSpec;
  readonly node?: Node;
}

type Write = (out: TextBuffer, record: RecordBytes) => void;

/**
 * A writer of all pieces.
 *
 * @param before what is written before them
 */
export function pieceWriter(
  pieces: readonly BoundPiece[],
  scope: Scope,
  before: string,
): EntryWriter {
  const [first = { literal: "" }, ...others] = pieces;
  const all = [{ ...first, literal: before + first.literal }, ...others];
  const writes = all.map((piece) => writerOfPiece(piece, scope));
  return (out, record) => {
    for (let i = 0; i < writes.length; i++) writes[i](out, record);
  };
}

function writerOfPiece(piece: BoundPiece, scope: Scope): Write {
  const { literal, run, spec, node } = piece;
  const texts = new KeptTexts();
  const lead = texts.add(literal);
  if (run === undefined) return (out) => out.kept(texts, lead);
  if (spec !== undefined && node !== undefined) {
    const write = number(spec, node, scope, texts, literal) ??
      string(spec, node, scope, texts, lead) ??
      symbol(spec, node, scope, literal) ??
      remembered(piece, node, scope);
    if (write !== undefined) return write;
  }
  return (out, record) => {
    out.kept(texts, lead);
    out.text(run(record));
  };
}

/** An integer field of the event itself. */
function integerField(node: Node, scope: Scope): EventField | undefined {
  if (node.op !== "field") return undefined;
  const field = scope.fields.get(node.name);
  return field !== undefined && fieldType(field).kind === "int" &&
      dynamicKind(field) === undefined
    ? field
    : undefined;
}

function isPlain({ width, precision, plus, space }: FormatSpec): boolean {
  return width === -1 && precision === -1 && !plus && !space;
}

/** `%d`, `%lu`, `%#x` and so on of a field. */
function number(
  spec: FormatSpec,
  node: Node,
  scope: Scope,
  texts: KeptTexts,
  literal: string,
): Write | undefined {
  const { conversion, size, special } = spec;
  if (!isPlain(spec) || (size !== 4 && size !== 8)) return undefined;
  if (conversion !== "d" && conversion !== "u" && conversion !== "x") {
    return undefined;
  }
  if (special && conversion !== "x") return undefined;
  const field = integerField(node, scope);
  if (field === undefined) return undefined;
  const lead = texts.add(special ? `${literal}0x` : literal);
  const at = field.offset;
  // Halves of the value as it is passed: a narrower one is extended.
  const low = lowHalf(field);
  const high: (record: RecordBytes) => number = field.size === 8
    ? (record) => record.u32(at + 4)
    : field.signed
    ? (record) => low(record) >= 0x8000_0000 ? 0xffff_ffff : 0
    : () => 0;
  if (size === 4) {
    switch (conversion) {
      case "d":
        return (out, record) => {
          out.kept(texts, lead);
          out.decimal(low(record) | 0);
        };
      case "u":
        return (out, record) => {
          out.kept(texts, lead);
          out.decimal(low(record));
        };
      default:
        return (out, record) => {
          out.kept(texts, lead);
          out.hex64(low(record), 0);
        };
    }
  }
  switch (conversion) {
    case "d":
      return (out, record) => {
        out.kept(texts, lead);
        out.signed64(low(record), high(record));
      };
    case "u":
      return (out, record) => {
        out.kept(texts, lead);
        out.decimal64(low(record), high(record));
      };
    default:
      return (out, record) => {
        out.kept(texts, lead);
        out.hex64(low(record), high(record));
      };
  }
}

/** Reads the low 32 bits of an integer field, as an unsigned number. */
function lowHalf(
  { offset, size, signed }: EventField,
): (record: RecordBytes) => number {
  switch (size) {
    case 1:
      return signed
        ? (record) => record.s8(offset) >>> 0
        : (record) => record.u8(offset);
    case 2:
      return signed
        ? (record) => record.s16(offset) >>> 0
        : (record) => record.u16(offset);
    case 4:
      return (record) => record.u32(offset);
    default:
      // Beyond the entry, all of it is 0, and not the half that is there.
      return (record) => offset + 8 <= record.size ? record.u32(offset) : 0;
  }
}

/** `%s` of text in the event. */
function string(
  spec: FormatSpec,
  node: Node,
  scope: Scope,
  texts: KeptTexts,
  lead: number,
): Write | undefined {
  if (spec.conversion !== "s" || spec.width !== -1 || spec.precision !== -1) {
    return undefined;
  }
  const code = compileExpression(node, scope);
  if (code.type.kind !== "record") return undefined;
  const run = code.run as (record: RecordBytes) => number;
  return (out, record) => {
    out.kept(texts, lead);
    record.writeString(out, run(record));
  };
}

const SYMBOLS: Readonly<Record<string, "pS" | "ps" | "pB">> = {
  S: "pS",
  F: "pS",
  s: "ps",
  f: "ps",
  B: "pB",
};

/** `%pS` and its like of an address that is a field. */
function symbol(
  spec: FormatSpec,
  node: Node,
  scope: Scope,
  literal: string,
): Write | undefined {
  if (spec.conversion !== "p" || spec.width !== -1) return undefined;
  const form = SYMBOLS[spec.pointer[0] ?? ""];
  const of = node.op === "cast" && node.to.stars === 1 ? node.of : node;
  const field = of.op === "field" ? scope.fields.get(of.name) : undefined;
  if (form === undefined || field === undefined || field.size !== 8) {
    return undefined;
  }
  const kind = fieldType(field).kind;
  if (kind !== "int" && kind !== "kernel") return undefined;
  if (dynamicKind(field) !== undefined) return undefined;
  const at = field.offset;
  const texts = new NumberedTexts();
  const names = scope.env.symbols;
  return (out, record) => {
    const there = at + 8 <= record.size;
    const lo = there ? record.u32(at) : 0;
    const hi = there ? record.u32(at + 4) : 0;
    const place = texts.find(lo, hi);
    out.kept(
      texts,
      place < 0 ? texts.keep(lo, hi, literal + names[form](lo, hi)) : place,
    );
  };
}

/** What only one number of the event determines. */
function remembered(
  { literal, run, spec }: BoundPiece,
  node: Node,
  scope: Scope,
): Write | undefined {
  if (run === undefined || spec === undefined) return undefined;
  if (spec.conversion === "p") return undefined;
  if (spec.width === STAR || spec.precision === STAR) return undefined;
  const field = soleField(node, scope);
  if (field === undefined) return undefined;
  const texts = new NumberedTexts();
  const low = lowHalf(field);
  const at = field.offset;
  const wide = field.size === 8;
  return (out, record) => {
    const lo = low(record);
    const hi = wide ? record.u32(at + 4) : 0;
    const place = texts.find(lo, hi);
    out.kept(
      texts,
      place < 0 ? texts.keep(lo, hi, literal + run(record)) : place,
    );
  };
}

/** Functions whose result depends on nothing but their arguments. */
const PURE: ReadonlySet<string> = new Set([
  "__print_flags",
  "__print_flags_u64",
  "__print_symbolic",
  "__print_symbolic_u64",
]);

/**
 * The integer field on which alone an expression depends; undefined if it
 * depends on others, on none, or on anything but the event.
 */
function soleField(node: Node, scope: Scope): EventField | undefined {
  let sole: EventField | undefined;
  const isPure = (each: Node | undefined): boolean => {
    switch (each?.op) {
      case undefined:
      case "number":
      case "string":
        return true;
      case "name":
        return /^(?:true|false|NULL)$/.test(each.name) ||
          scope.env.enumerator?.(each.name) !== undefined;
      case "field": {
        const field = integerField(each, scope);
        if (field === undefined || (sole !== undefined && sole !== field)) {
          return false;
        }
        sole = field;
        return true;
      }
      case "call":
        return PURE.has(each.name) && each.args.every(isPure);
      case "unary":
        return /^[-+~!]$/.test(each.sign) && isPure(each.of);
      case "binary":
        return isPure(each.left) && isPure(each.right);
      case "choose":
        return isPure(each.test) && isPure(each.then) && isPure(each.otherwise);
      case "cast":
        return each.to.stars === 0 && isPure(each.of);
      case "braces":
        return each.items.every(isPure);
      default:
        return false;
    }
  };
  return isPure(node) ? sole : undefined;
}
