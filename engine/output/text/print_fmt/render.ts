/**
 * Renders events by their print_fmt, which is compiled to a closure once for
 * each event.
 *
 * @module
 */

import {
  dynamicKind,
  type EventField,
  type EventFormat,
} from "../../../ftrace/events/formats.ts";
import type { TextEnvironment } from "../environment.ts";
import { addressFormatter, bytesFormatter } from "../printf/pointer.ts";
import { formatInteger, formatString } from "../printf/printf_number.ts";
import {
  fieldSize,
  type FormatPiece,
  type FormatSpec,
  parseFormat,
  STAR,
} from "../printf/printf_spec.ts";
import { type EntryWriter, writerOf } from "../entries.ts";
import type { RecordBytes } from "../record.ts";
import { asInt, type Code, fieldCode, type Scope, toInt } from "./code.ts";
import { INT, ULONG } from "./ctype.ts";
import { compileExpression } from "./expression.ts";
import { PrintFmtError } from "./lexer.ts";
import { type Node, parsePrintFmt } from "./parser.ts";
import { type BoundPiece, pieceWriter } from "./piece_writer.ts";
import { boundedText } from "./text_value.ts";

/** Writes the text of an event after its name, including the newline. */
export type Renderer = (record: RecordBytes) => string;

/** A compiled print_fmt. */
export interface CompiledPrintFmt {
  readonly render: Renderer;
  /** The same as bytes. */
  readonly write: EntryWriter;
  /**
   * Why the print_fmt could not be compiled, in which case the fields are shown
   * raw.
   */
  readonly failure: string | undefined;
}

/** Marks an event whose print_fmt cannot be rendered, as in trace-cmd. */
export const FAILED_MARK = "[FAILED TO PARSE]";

/**
 * Compiles an event's print_fmt. If it cannot be rendered from the event's
 * bytes, the raw fields are shown after {@linkcode FAILED_MARK}.
 *
 * @param before what is written before it, but not rendered
 */
export function compilePrintFmt(
  format: EventFormat,
  env: TextEnvironment,
  before = "",
): CompiledPrintFmt {
  const lead: EntryWriter = (out) => out.text(before);
  try {
    const fields = new Map(format.fields.map((field) => [field.name, field]));
    const parsed = parsePrintFmt(format.printFmt);
    // The kernel's macros append the newline in the same way (TP_printk).
    const scope = { fields, env };
    const pieces = parseFormat(parsed.format + "\n");
    const bound = bind(pieces, parsed.args, scope);
    const render = contained(joined(bound), rawFields(format));
    const write = containedWriter(
      pieceWriter(bound, scope, before, MOST_TEXT + before.length),
      sequence(lead, writerOf(render)),
      before,
    );
    return { render, write, failure: undefined };
  } catch (error) {
    if (!isOfFormat(error)) throw error;
    const render = rawFields(format);
    const write = sequence(lead, writerOf(render));
    return { render, write, failure: error.message };
  }
}

/** More characters than the kernel prints of an event (trace_seq: 8 KiB). */
const MOST_TEXT = 65536;

/**
 * A format that fails for one event, or asks for a text longer than any that
 * the kernel prints, does so for that event alone.
 */
function contained(render: Renderer, otherwise: Renderer): Renderer {
  return (record) => {
    try {
      const text = render(record);
      return text.length <= MOST_TEXT
        ? text
        : text.slice(0, MOST_TEXT) + "[LINE TOO BIG]\n";
    } catch (error) {
      if (!isOfFormat(error)) throw error;
      return otherwise(record);
    }
  };
}

function sequence(first: EntryWriter, second: EntryWriter): EntryWriter {
  return (out, record, ts) => {
    first(out, record, ts);
    second(out, record, ts);
  };
}

/** The same for what is written as bytes, each of which is a character at most. */
function containedWriter(
  write: EntryWriter,
  otherwise: EntryWriter,
  before: string,
): EntryWriter {
  const most = MOST_TEXT + before.length;
  return (out, record, ts) => {
    const start = out.length;
    try {
      write(out, record, ts);
      if (out.length - start <= most) return;
    } catch (error) {
      if (!isOfFormat(error)) throw error;
    }
    out.length = start;
    otherwise(out, record, ts);
  };
}

/**
 * Whether an error is due to the format, which is the guest's: too deep or too
 * long for us (RangeError), or operands that do not fit (TypeError).
 */
function isOfFormat(error: unknown): error is Error {
  return error instanceof PrintFmtError || error instanceof RangeError ||
    error instanceof TypeError;
}

/** Shows an event's raw fields: `[FAILED TO PARSE] pid=12 len=0x8`. */
export function rawFields(format: EventFormat): Renderer {
  const parts = format.fields.map((field) => ({
    name: field.name,
    render: rawField(field),
  }));
  return (record) => {
    let text = FAILED_MARK;
    for (const { name, render } of parts) text += ` ${name}=${render(record)}`;
    return text + "\n";
  };
}

function rawField(field: EventField): Renderer {
  const dynamic = dynamicKind(field);
  if (dynamic !== undefined) {
    const base = dynamic === "rel_loc" ? field.offset + 4 : 0;
    const isText = /\bchar\b/.test(field.type);
    return (record) => {
      const location = record.u32(field.offset);
      const at = base + (location & 0xffff);
      const length = location >>> 16;
      return isText ? record.string(at, length) : byteList(record, at, length);
    };
  }
  const code = fieldCode(field);
  if (code.type.kind === "record") {
    return /^(const )?(unsigned )?char\s*\[/.test(field.type)
      ? (record) => record.string(field.offset, field.size)
      : (record) => byteList(record, field.offset, field.size);
  }
  const run = code.run;
  const signed = field.signed;
  return (record) => {
    const value = run(record);
    return signed ? String(value) : "0x" + BigInt(value).toString(16);
  };
}

function byteList(record: RecordBytes, at: number, length: number): string {
  const bytes: string[] = [];
  const end = Math.min(at + length, record.size);
  for (let i = at; i < end; i++) {
    bytes.push(record.u8(i).toString(16).padStart(2, "0"));
  }
  return `ARRAY[${bytes.join(", ")}]`;
}

/** Combines a format's pieces with the closures of its arguments. */
function bind(
  pieces: readonly FormatPiece[],
  nodes: readonly Node[],
  scope: Scope,
): readonly BoundPiece[] {
  let used = 0;
  const next = (): Code => {
    if (used >= nodes.length) {
      throw new PrintFmtError("the format string asks for more arguments");
    }
    return compileExpression(nodes[used++], scope);
  };
  let firstString = clobbersFormat(scope.env);
  if (firstString && startsWithString(pieces[0])) return [];
  return pieces.map(({ literal, spec }): BoundPiece => {
    if (spec === undefined) return { literal };
    const run = argument(spec, next, scope.env);
    if (!firstString || spec.conversion !== "s") {
      const node = nodes[used - 1];
      return { literal, run, ...(node === undefined ? {} : { spec, node }) };
    }
    firstString = false;
    return { literal, run: () => "" };
  });
}

function joined(pieces: readonly BoundPiece[]): Renderer {
  if (pieces.length === 1) {
    const { literal, run } = pieces[0];
    return run === undefined
      ? () => literal
      : (record) => literal + run(record);
  }
  return (record) => {
    let text = "";
    for (const { literal, run } of pieces) {
      text += run === undefined ? literal : literal + run(record);
    }
    return text;
  };
}

/**
 * Whether the kernel overwrites the format while it prints: trace_check_vprintf
 * uses the same buffer into which trace_event_format rewrote the format. Then
 * nothing is printed for the first `%s`; if the format begins with it,
 * everything after it is missing too, including the newline.
 */
function clobbersFormat(env: TextEnvironment): boolean {
  return env.checksStrings === true && env.hashPointers === false;
}

function startsWithString(piece: FormatPiece | undefined): boolean {
  return piece?.literal === "" && piece.spec?.conversion === "s";
}

function argument(
  spec: FormatSpec,
  next: () => Code,
  env: TextEnvironment,
): Renderer {
  const starWidth = spec.width === STAR ? count(next()) : undefined;
  const starPrecision = spec.precision === STAR ? count(next()) : undefined;
  const value = spec.conversion === "?" ? undefined : next();
  if (value === undefined) return () => "";
  const write = conversion(spec, value, env);
  if (starWidth === undefined && starPrecision === undefined) {
    return (record) => write(record, spec, spec.width, spec.precision);
  }
  const leftSpec: FormatSpec = { ...spec, left: true };
  return (record) => {
    let width = starWidth === undefined
      ? spec.width
      : fieldSize(starWidth(record));
    // A negative width in an argument means that the field is left-aligned.
    const used = width < 0 && starWidth !== undefined ? leftSpec : spec;
    if (used !== spec) width = -width;
    const precision = starPrecision === undefined
      ? spec.precision
      : Math.max(0, fieldSize(starPrecision(record)));
    return write(record, used, width, precision);
  };
}

function count(code: Code): (record: RecordBytes) => number {
  return toInt(asInt(code), INT).run as (record: RecordBytes) => number;
}

type Write = (
  record: RecordBytes,
  spec: FormatSpec,
  width: number,
  precision: number,
) => string;

function conversion(
  spec: FormatSpec,
  value: Code,
  env: TextEnvironment,
): Write {
  switch (spec.conversion) {
    case "s": {
      const text = boundedText(value, env);
      return (record, used, width, precision) => {
        const found = text(record, precision < 0 ? Infinity : precision);
        return width < 0 && precision < 0
          ? found
          : formatString(found, used.left, width, precision);
      };
    }
    case "c": {
      const code = count(value);
      return (record, used, width) =>
        formatString(
          String.fromCharCode(code(record) & 0xff),
          used.left,
          width,
          -1,
        );
    }
    case "p":
      return pointer(spec, value, env);
    default:
      return integer(spec, value);
  }
}

function integer(spec: FormatSpec, value: Code): Write {
  const run = asInt(value).run as (record: RecordBytes) => number | bigint;
  const type = asInt(value).type;
  const plain = spec.width === -1 && spec.precision === -1 && !spec.special &&
    !spec.plus && !spec.space;
  const signed = spec.conversion === "d";
  if (
    plain && (signed || spec.conversion === "u") && spec.size === 4 &&
    type.size <= 4
  ) {
    return signed
      ? (record) => String((run(record) as number) | 0)
      : (record) => String((run(record) as number) >>> 0);
  }
  return (record, used, width, precision) =>
    formatInteger(run(record), used, width, precision);
}

function pointer(spec: FormatSpec, value: Code, env: TextEnvironment): Write {
  const bytes = bytesFormatter(spec);
  if (bytes !== undefined) {
    if (value.type.kind !== "record") {
      throw new PrintFmtError(
        `%p${spec.pointer} reads kernel memory that is not in the event`,
      );
    }
    const start = value.run as (record: RecordBytes) => number;
    return (record, _used, width) => {
      const first = start(record);
      return bytes((i) => record.u8(first + i), width);
    };
  }
  const address = addressFormatter(spec);
  if (address === undefined) {
    throw new PrintFmtError(
      `%p${spec.pointer} reads kernel memory that is not in the event`,
    );
  }
  const run = toInt(asInt(value), ULONG).run as (r: RecordBytes) => bigint;
  return (record, _used, width) => address(run(record), env, width);
}
