import assert from "node:assert/strict";
import type { DatField } from "../../tracedat/format_file.ts";
import { RecordBytes } from "../text/record.ts";
import { parseConversion, printNumber, printString } from "./c_printf.ts";
import { EventText } from "./event_text.ts";
import { KnownComms } from "./known_comms.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

const GUEST: TracecmdGuest = {
  longSize: 8,
  bigEndian: false,
  inNs: true,
  stackType: -1,
  function: (address) =>
    address >= 0x100n && address < 0x200n
      ? { address: 0x100n, name: "func", size: 256 }
      : undefined,
  symbol: () => undefined,
  text: (address) => address === 0x500n ? "constant" : undefined,
  comms: () => [],
  event: () => undefined,
};

function field(
  name: string,
  type: string,
  offset: number,
  size: number,
  more: Partial<DatField> = {},
): DatField {
  return {
    name,
    type,
    offset,
    size,
    signed: false,
    array: type.includes("["),
    dynamic: type.startsWith("__data_loc"),
    relative: false,
    pointer: type.includes("*"),
    long: type.includes("long"),
    text: /char.*\[/.test(type),
    element: size,
    ...more,
  };
}

const FIELDS = [
  field("a", "int", 8, 4, { signed: true }),
  field("b", "unsigned int", 12, 4),
  field("p", "void *", 16, 8),
  field("s", "char[8]", 24, 8, { element: 1 }),
  field("w", "u16[2]", 32, 4, { element: 2 }),
  field("d", "__data_loc u8[]", 36, 4, { element: 1 }),
  field("c", "const char *", 40, 8),
];

function record(): RecordBytes {
  const bytes = new Uint8Array(56);
  const view = new DataView(bytes.buffer);
  view.setInt32(8, -5, true);
  view.setUint32(12, 6, true);
  view.setBigUint64(16, 0x123n, true);
  bytes.set(new TextEncoder().encode("text"), 24);
  view.setUint16(32, 7, true);
  view.setUint16(34, 8, true);
  view.setUint32(36, 4 << 16 | 48, true);
  view.setBigUint64(40, 0x500n, true);
  bytes.set([0xc0, 0xa8, 0, 1], 48);
  return new RecordBytes(bytes);
}

function shownAs(printFmt: string): string {
  const event = {
    id: 1,
    system: "test",
    name: "event",
    common: [],
    fields: FIELDS,
    printFmt,
  };
  return new EventText(event, GUEST).text(record());
}

Deno.test("formats of events as libtraceevent fills them in", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['"a=%d b=%03u %x", REC->a, REC->b, REC->b', "a=-5 b=006 6"],
    ['"100%% done\\n"', "100% done\n"],
    ['"%s %s", REC->s, REC->c', "text constant"],
    ['"%-6s|%6s|%.2s", REC->s, REC->s, REC->s', "text  |  text|te"],
    ['"%ps %pS %p", REC->p, (void *)REC->p, REC->b', "func func+0x23 0x6"],
    ['"%d", REC->a < 0 ? 1 : 2', "2"],
    ['"%s", REC->b == 6 ? "six" : "other"', "six"],
    ['"%u", (u8)REC->a', "251"],
    ['"%u %u", REC->w[0], REC->w[1]', "7 8"],
    [
      '"%s", __print_flags(REC->b, "|", { 1, "A" }, { 2, "B" }, { 4, "C" })',
      "B|C",
    ],
    ['"%s", __print_flags(REC->b, "|", { 2, "B" })', "B|0x4"],
    ['"%s", __print_symbolic(REC->b, { 5, "five" }, { 6, "six" })', "six"],
    ['"%s", __print_symbolic(REC->b, { 5, "five" })', "0x6"],
    ['"%s", __print_hex(__get_dynamic_array(d), 4)', "c0 a8 00 01"],
    ['"%s", __print_array(REC->w, 2, 2)', "7 8"],
    ['"%pISc|%pI4", __get_dynamic_array(d), REC->b', "|6.0.0.0"],
    ['"%pI4", __get_dynamic_array(d)', "ARG TYPE NOT FIELD BUT 10"],
    ['"%*ph", 3, __get_dynamic_array(d)', "c0 a8 00"],
    ['"%u", __get_dynamic_array_len(d)', "4"],
    ['"%*d", 6, REC->b', "     6"],
    ['"%lu %llx", REC->p, REC->p', "291 123"],
    ['"%d", sizeof(long)', "8"],
    ['"%u", REC->b >> 1 & 1', "1"],
    ['"%u", (1 << 4) | 3', "19"],
  ];
  for (const [format, expected] of cases) {
    assert.equal(shownAs(format), expected, format);
  }
});

Deno.test("operators are applied in the order of libtraceevent, not of C", () => {
  // 20 - (6 - 4), and (6 * 2) + 1.
  assert.equal(shownAs('"%u", 20 - REC->b - 4'), "18");
  assert.equal(shownAs('"%u", REC->b * (2 + 1)'), "13");
});

Deno.test("what libtraceevent does not understand is shown as fields", () => {
  const fields = " a=-5 b=6 p=0x123 s=text w=ARRAY[07, 00, 08, 00]" +
    " d=ARRAY[c0, a8, 00, 01] c=0x500";
  for (
    const format of [
      '"%d", some_function(REC->a)',
      '"%d", REC->a +',
      '"%d %d", REC->a',
      '"a\tb %d", REC->a',
      "",
      '"%d", ' + "(".repeat(10_000),
      '"%d", ' + "~".repeat(10_000),
    ]
  ) {
    assert.equal(shownAs(format), `[FAILED TO PARSE]${fields}`);
  }
});

Deno.test("numbers and texts as glibc prints them", () => {
  const number = (format: string, value: bigint, bits = 32) =>
    printNumber(parseConversion(format)!, value, bits);
  assert.equal(number("%5d", -3n), "   -3");
  assert.equal(number("%-5d|", 3n), "3    ");
  assert.equal(number("%05d", -3n), "-0003");
  assert.equal(number("%#x", 0n), "0");
  assert.equal(number("%#010x", 255n), "0x000000ff");
  assert.equal(number("%X", 0xabcn), "ABC");
  assert.equal(number("%.3u", 7n), "007");
  assert.equal(number("%o", 8n), "10");
  assert.equal(number("%llu", -1n, 64), "18446744073709551615");
  assert.equal(number("%hhd", 255n, 8), "-1");
  assert.equal(number("%999999999d", 1n).length, 4096);
  assert.equal(printString(parseConversion("%8s")!, "é"), "      é");
});

Deno.test("names of threads: which of several it is, the search decides", () => {
  const comms = new KnownComms([[7, "bash"], [9, "ls"]]);
  comms.add(9, "sh");
  assert.equal(comms.find(0), "<idle>");
  assert.equal(comms.find(9), "sh");
  assert.equal(comms.find(8), "<...>");
  comms.add(8, "new");
  comms.add(9, "ignored");
  assert.equal(comms.find(8), "new");
  assert.equal(comms.find(9), "sh");
  assert.equal(comms.find(7), "bash");
});
