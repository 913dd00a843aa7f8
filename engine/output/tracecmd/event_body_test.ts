/**
 * Bodies of events as bytes, compared with the same as strings.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { EventColumns } from "../../ftrace/ring/columns.ts";
import type { DatField } from "../../tracedat/format_file.ts";
import { textBytes } from "../text/byte_text.ts";
import { TextRoom } from "../text/bytes/numbered_texts.ts";
import { TextBuffer } from "../text/bytes/text_buffer.ts";
import { RecordBytes } from "../text/record.ts";
import { EventBody, MOST_BODY } from "./event_body.ts";
import { EventText } from "./event_text.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

const GUEST: TracecmdGuest = {
  longSize: 8,
  bigEndian: false,
  inNs: true,
  stackType: -1,
  function: (address) =>
    address < 0x200n ? { address: 0n, name: "func", size: 512 } : undefined,
  symbol: (name) => name === "SYMBOL" ? 3n : undefined,
  text: (address) => address % 2n === 0n ? "constant" : undefined,
  comms: () => [],
  event: () => undefined,
};

function field(
  name: string,
  type: string,
  offset: number,
  size: number,
): DatField {
  return {
    name,
    type,
    offset,
    size,
    signed: /^(?:s|int)/.test(type),
    array: type.includes("["),
    dynamic: type.startsWith("__data_loc"),
    relative: false,
    pointer: type.includes("*"),
    long: type.includes("long"),
    text: /char.*\[/.test(type),
    element: type.startsWith("char") ? 1 : size,
  };
}

const FIELDS = [
  field("s8", "s8", 8, 1),
  field("u8", "u8", 9, 1),
  field("s16", "s16", 10, 2),
  field("u32", "unsigned int", 12, 4),
  field("s32", "int", 16, 4),
  field("u64", "unsigned long", 24, 8),
  field("odd", "struct", 32, 3),
  field("p", "void *", 40, 8),
  field("str", "const char *", 48, 8),
  field("comm", "char[16]", 56, 16),
  field("name", "__data_loc char[]", 72, 4),
  field("rest", "char[]", 80, 0),
];

function textOf(printFmt: string, fields = FIELDS): EventText {
  const event = {
    id: 1,
    system: "test",
    name: "event",
    common: [],
    fields,
    printFmt,
  };
  return new EventText(event, GUEST);
}

const conversion = fc.tuple(
  fc.constantFrom("", "#", "0", "-", "+", " ", "08", "-12", ".3", "20", "04"),
  fc.constantFrom("", "h", "hh", "l", "ll", "z"),
  fc.constantFrom("d", "i", "u", "x", "X", "o", "s"),
).map((parts) => `%${parts.join("")}`);
const argument = fc.oneof(
  fc.constantFrom(...FIELDS.map(({ name }) => `REC->${name}`)),
  fc.constantFrom(
    "(u8)REC->s32",
    "(unsigned int)REC->u64",
    "(s16)(u8)REC->s8",
    "(unsigned long)REC->u32",
    "REC->s32 - 1",
    "REC->u8 & 0x7f",
    "REC->u32 ? 1 : 2",
    "SYMBOL",
    'REC->u32 == 1 ? "one" : "other"',
    'REC->u32 > REC->u8 ? "more" : "less"',
    "__get_str(name)",
    '__print_flags(REC->u32, "|", { 1, "A" }, { 2, "B" })',
    '__print_flags(REC->u8 & 3, "|", { 1, "A" }, { 2, "B" })',
    '__print_symbolic(REC->s32, { 0, "zero" }, { 1, "one" })',
    "__print_hex(REC->comm, 4)",
  ),
);
const piece = fc.tuple(
  fc.constantFrom("", " ", "a=", "\xe9", "100%% "),
  fc.oneof(
    { weight: 6, arbitrary: conversion },
    {
      weight: 1,
      arbitrary: fc.constantFrom("%p", "%ps", "%pS", "%pM", "%pI4", "%c"),
    },
  ),
  argument,
);
const format = fc.array(piece, { maxLength: 6 }).map((pieces) =>
  `"${pieces.map(([before, spec]) => before + spec).join("")}"${
    pieces.map(([, , arg]) => `, ${arg}`).join("")
  }`
);
const small = fc.constantFrom(0, 1, 2, 0x41, 0x7f, 0x80, 0xff);
const record = fc.tuple(
  fc.array(fc.oneof(small, fc.nat(255)), { minLength: 96, maxLength: 96 }),
  fc.integer({ min: 8, max: 96 }),
);
const COLUMNS = new EventColumns(0n);

Deno.test("a body is the same as bytes and as a string, time and again", () => {
  fc.assert(
    fc.property(
      format,
      fc.array(record, { minLength: 1, maxLength: 5 }),
      (printFmt, records) => {
        const text = textOf(printFmt);
        const body = new EventBody(text, GUEST, undefined, new TextRoom());
        const out = new TextBuffer();
        // Each twice: at the second time, texts of numbers are kept.
        for (const [bytes, size] of [...records, ...records]) {
          const event = new RecordBytes(
            Uint8Array.from(bytes).subarray(0, size),
          );
          out.clear();
          body.write(out, event, COLUMNS, 0);
          assert.deepEqual(
            [...out.written],
            [...textBytes(text.text(event))],
            printFmt,
          );
        }
      },
    ),
    { numRuns: 3000, seed: 1 },
  );
});

Deno.test("a format that prints without end has a bound", () => {
  const many = 2000;
  const event = new RecordBytes(new Uint8Array(4008).fill(0x61));
  for (
    const printFmt of [
      `"${"%s".repeat(many)}"${", REC->comm".repeat(many)}`,
      `"${"%4096d".repeat(many)}"${", REC->u32".repeat(many)}`,
    ]
  ) {
    const text = textOf(printFmt, [
      field("comm", "char[4000]", 8, 4000),
      field("u32", "unsigned int", 8, 4),
    ]);
    const body = new EventBody(text, GUEST, undefined, new TextRoom());
    const out = new TextBuffer();
    out.text("before");
    body.write(out, event, COLUMNS, 0);
    const mark = "[LINE TOO BIG]";
    assert.equal(out.length, 6 + MOST_BODY + mark.length);
    const end = out.written.subarray(-mark.length);
    assert.equal(new TextDecoder().decode(end), mark);
    assert.ok(out.bytes.length < 3 * MOST_BODY);
  }
});
