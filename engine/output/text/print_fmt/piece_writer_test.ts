/**
 * Events as bytes, compared with the same events as strings.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { textBytes } from "../byte_text.ts";
import { TextRoom } from "../bytes/numbered_texts.ts";
import { TextBuffer } from "../bytes/text_buffer.ts";
import type { TextEnvironment } from "../environment.ts";
import { RecordBytes } from "../record.ts";
import { field } from "./event_field_fixture.ts";
import { compilePrintFmt } from "./render.ts";

const ENV: TextEnvironment = {
  symbols: {
    bare: (lo) => `bare_${lo.toString(16)}`,
    ps: (lo) => `ps_${lo.toString(16)}`,
    pS: (lo, hi) => `pS_${hi.toString(16)}${lo.toString(16)}+0x0/0x10`,
    pB: (lo) => `pB_${lo.toString(16)}`,
  },
  string: (lo) => lo % 2 === 0 ? `kernel text ${lo}` : undefined,
  enumerator: (name) => name === "SOME_ENUM" ? 3 : undefined,
};

const FIELDS = [
  field("s8", "s8", 8, 1, true),
  field("u8", "u8", 9, 1),
  field("s16", "short", 10, 2, true),
  field("u16", "u16", 12, 2),
  field("b", "bool", 14, 1),
  field("s32", "int", 16, 4, true),
  field("u32", "unsigned int", 20, 4),
  field("s64", "long", 24, 8, true),
  field("u64", "unsigned long", 32, 8),
  field("p", "void *", 40, 8),
  field("str", "const char *", 48, 8),
  field("comm", "char[16]", 56, 16),
  field("name", "__data_loc char[]", 72, 4),
];

const NAMES = FIELDS.map(({ name }) => name);
const CONVERSIONS = ["d", "i", "u", "x", "X", "o", "c", "s"];
const SIZES = ["", "h", "hh", "l", "ll", "z"];
const FLAGS = ["", "#", "0", "-", "+", " ", "08", "-12", ".3", "20"];

const numbers = fc.tuple(
  fc.constantFrom(...FLAGS),
  fc.constantFrom(...SIZES),
  fc.constantFrom(...CONVERSIONS),
  fc.constantFrom(...NAMES),
).map(([flags, size, conversion, name]) =>
  [`%${flags}${size}${conversion}`, `REC->${name}`] as const
);
const others = fc.constantFrom(
  ["%s", "REC->comm"],
  ["%.5s", "REC->comm"],
  ["%s", "__get_str(name)"],
  ["%s", "REC->str"],
  ["%pS", "(void *)REC->u64"],
  ["%ps", "REC->p"],
  ["%pB", "(void *)REC->p"],
  ["%px", "REC->p"],
  ["%pS", "(void *)REC->u32"],
  ["%s", '__print_flags(REC->u32, "|", { 1, "A" }, { 2, "B" })'],
  ["%s", '__print_flags(REC->u8 & 3, "|", { 1, "A" }, { 2, "B" })'],
  ["%s", '__print_symbolic(REC->s64, { -5, "minus" }, { SOME_ENUM, "e" })'],
  ["%s", '__print_symbolic(REC->s8, { -1, "minus" }, { 0, "zero" })'],
  ["%s", 'REC->u16 ? "yes" : "no"'],
  ["%s", 'REC->u16 > REC->u8 ? "more" : "less"'],
  ["%d", "REC->s32 - 1"],
  ["%lu", "(unsigned long)REC->s8 << 3"],
  ["%d", "-REC->s64"],
  ["%llu", "REC->u64 / 0"],
  ["%*d", "4, REC->s32"],
  ["%%", ""],
);
const piece = fc.oneof(numbers, others);
const literal = fc.constantFrom("", " ", "a=", "é ", "{", " , ");
const format = fc.array(fc.tuple(literal, piece), { maxLength: 8 }).map(
  (pieces) =>
    `"${pieces.map(([before, [spec]]) => before + spec).join("")}"${
      pieces.filter(([, [, arg]]) => arg !== "")
        .map(([, [, arg]]) => `, ${arg}`).join("")
    }`,
);
const small = fc.constantFrom(0, 1, 2, 3, 0x7f, 0x80, 0xff);
const record = fc.tuple(
  fc.array(fc.oneof(small, fc.nat(255)), { minLength: 100, maxLength: 100 }),
  fc.integer({ min: 8, max: 100 }),
);

Deno.test("an event is the same as bytes and as a string, time and again", () => {
  fc.assert(
    fc.property(
      format,
      fc.array(record, { minLength: 1, maxLength: 6 }),
      (printFmt, records) => {
        const room = new TextRoom();
        const { render, write } = compilePrintFmt(
          { id: 1000, system: "test", name: "test", fields: FIELDS, printFmt },
          { ...ENV, room },
          "test: ",
        );
        const out = new TextBuffer();
        // Each twice: at the second time, texts of numbers are kept.
        for (const [bytes, size] of [...records, ...records]) {
          const array = Uint8Array.from(bytes).subarray(0, size);
          array.set([16, 80, 0], 72 < size - 3 ? 72 : 0);
          const event = new RecordBytes(array);
          out.clear();
          write(out, event, 0);
          assert.deepEqual(
            [...out.written],
            [...textBytes("test: "), ...textBytes(render(event))],
            printFmt,
          );
        }
      },
    ),
    { numRuns: 3000, seed: 1 },
  );
});

Deno.test("a string of the guest's is read for each event", () => {
  let text = "before";
  const { write } = compilePrintFmt(
    {
      id: 1,
      system: "test",
      name: "test",
      fields: FIELDS,
      printFmt: '"%s", REC->u64',
    },
    { ...ENV, string: () => text },
  );
  const event = new RecordBytes(new Uint8Array(100).fill(0x66));
  const out = new TextBuffer();
  write(out, event, 0);
  text = "behind";
  write(out, event, 0);
  assert.equal(new TextDecoder().decode(out.written), "before\nbehind\n");
});

Deno.test("a format that prints the same string without end has a bound, and no lasting room", () => {
  const many = 5000;
  const printFmt = `"${"%s".repeat(many)}"${", REC->comm".repeat(many)}`;
  const { render, write } = compilePrintFmt({
    id: 1,
    system: "test",
    name: "test",
    fields: [field("comm", "char[4000]", 8, 4000)],
    printFmt,
  }, ENV);
  const event = new RecordBytes(new Uint8Array(4008).fill(0x61));
  const out = new TextBuffer();
  write(out, event, 0);
  assert.equal(new TextDecoder().decode(out.written), render(event));
  assert.match(render(event), /aaa\[LINE TOO BIG\]\n$/);
  // Not the 20 MB that the format asks for.
  assert.ok(out.bytes.length < 1 << 18, String(out.bytes.length));
});
