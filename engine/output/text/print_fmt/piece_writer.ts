/**
 * Writes the pieces of a print_fmt as bytes. The conversions that nearly all
 * events consist of read the event and write digits; a text that only one number
 * of the event determines (flags, states) is kept with that number; all others
 * are rendered as strings.
 *
 * @module
 */
import { dynamicKind } from "../../../ftrace/events/formats.ts";
import { KeptTexts } from "../bytes/kept_texts.ts";
import { TextRoom } from "../bytes/numbered_texts.ts";
import type { TextBuffer } from "../bytes/text_buffer.ts";
import type { EntryWriter } from "../entries.ts";
import type { FormatSpec } from "../printf/printf_spec.ts";
import { STAR } from "../printf/printf_spec.ts";
import type { RecordBytes } from "../record.ts";
import { fieldType, type Scope } from "./code.ts";
import { compileExpression } from "./expression.ts";
import { lowHalf, numberPiece } from "./number_piece.ts";
import type { Node } from "./parser.ts";
import { soleField } from "./sole_field.ts";

/** A piece of a format with what renders its conversion. */
export interface BoundPiece {
  readonly literal: string;
  readonly run?: (record: RecordBytes) => string;
  /** The conversion and its argument, without those that `*` takes. */
  readonly spec?: FormatSpec;
  readonly node?: Node;
}

type Write = (out: TextBuffer, record: RecordBytes) => void;

/** What the pieces of a format have in common. */
interface Shared {
  readonly scope: Scope;
  /** The texts between the conversions. */
  readonly texts: KeptTexts;
  readonly room: TextRoom;
}

/**
 * A writer of all pieces. It stops after the piece with which the text is longer
 * than `most` bytes.
 *
 * @param before what is written before them
 */
export function pieceWriter(
  pieces: readonly BoundPiece[],
  scope: Scope,
  before: string,
  most: number,
): EntryWriter {
  const [first = { literal: "" }, ...others] = pieces;
  const all = [{ ...first, literal: before + first.literal }, ...others];
  const shared = {
    scope,
    texts: new KeptTexts(),
    room: scope.env.room ?? new TextRoom(),
  };
  const writes = all.map((piece) => writerOfPiece(piece, shared));
  return (out, record) => {
    const end = out.length + most;
    for (let i = 0; i < writes.length && out.length <= end; i++) {
      writes[i](out, record);
    }
  };
}

function writerOfPiece(piece: BoundPiece, shared: Shared): Write {
  const { literal, run, spec, node } = piece;
  const { scope, texts } = shared;
  const lead = texts.add(literal);
  if (run === undefined) return (out) => out.kept(texts, lead);
  if (spec !== undefined && node !== undefined) {
    const write = numberPiece(spec, node, scope, texts, literal) ??
      string(spec, node, shared, lead) ??
      symbol(spec, node, shared, literal) ??
      remembered(piece, node, shared);
    if (write !== undefined) return write;
  }
  return (out, record) => {
    out.kept(texts, lead);
    out.text(run(record));
  };
}

/** `%s` of text in the event. */
function string(
  spec: FormatSpec,
  node: Node,
  { scope, texts }: Shared,
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
  { scope, room }: Shared,
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
  const texts = room.table();
  const names = scope.env.symbols;
  return (out, record) => {
    const there = at + 8 <= record.size;
    const lo = there ? record.u32(at) : 0;
    const hi = there ? record.u32(at + 4) : 0;
    const place = texts.find(lo, hi);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, lo, hi, literal + names[form](lo, hi));
  };
}

/** What only one number of the event determines. */
function remembered(
  { literal, run, spec }: BoundPiece,
  node: Node,
  { scope, room }: Shared,
): Write | undefined {
  if (run === undefined || spec === undefined) return undefined;
  if (spec.conversion === "p") return undefined;
  if (spec.width === STAR || spec.precision === STAR) return undefined;
  const field = soleField(node, scope);
  if (field === undefined) return undefined;
  // A string to which a number points is the guest's, who may change it.
  if (
    spec.conversion === "s" &&
    compileExpression(node, scope).type.kind !== "text"
  ) return undefined;
  const texts = room.table();
  const low = lowHalf(field);
  const at = field.offset;
  const wide = field.size === 8;
  return (out, record) => {
    const lo = low(record);
    const hi = wide ? record.u32(at + 4) : 0;
    const place = texts.find(lo, hi);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, lo, hi, literal + run(record));
  };
}
