/**
 * Writes the conversions of plain integer fields, without a string or a bigint.
 *
 * @module
 */
import {
  dynamicKind,
  type EventField,
} from "../../../ftrace/events/formats.ts";
import type { KeptTexts } from "../bytes/kept_texts.ts";
import type { TextBuffer } from "../bytes/text_buffer.ts";
import type { FormatSpec } from "../printf/printf_spec.ts";
import type { RecordBytes } from "../record.ts";
import { fieldType, type Scope } from "./code.ts";
import type { Node } from "./parser.ts";

type Write = (out: TextBuffer, record: RecordBytes) => void;

/** An integer field of the event itself. */
export function integerField(node: Node, scope: Scope): EventField | undefined {
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

/**
 * `%d`, `%lu`, `%#x` and so on of a field; undefined for anything else.
 *
 * @param texts for the text before it, `literal`
 */
export function numberPiece(
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
export function lowHalf(
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
