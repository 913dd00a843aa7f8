import assert from "node:assert/strict";
import { formatInteger, formatString } from "./printf_number.ts";
import { parseFormat } from "./printf_spec.ts";

function print(format: string, value: number | bigint | string): string {
  let text = "";
  for (const { literal, spec } of parseFormat(format)) {
    text += literal;
    if (spec === undefined) continue;
    text += typeof value === "string"
      ? formatString(value, spec.left, spec.width, spec.precision)
      : formatInteger(value, spec, spec.width, spec.precision);
  }
  return text;
}

Deno.test("integers are printed as in C", () => {
  const cases: [string, number | bigint, string][] = [
    ["%d", -5, "-5"],
    ["%5d|", 42, "   42|"],
    ["%-5d|", 42, "42   |"],
    ["%05d", -42, "-0042"],
    ["%+d", 7, "+7"],
    ["% d", 7, " 7"],
    ["%.4d", 7, "0007"],
    ["%8.4d|", -7, "   -0007|"],
    ["%-8.4d|", 7, "0007    |"],
    ["%u", -1, "4294967295"],
    ["%lu", -1n, "18446744073709551615"],
    ["%lld", 0xffffffffffffffffn, "-1"],
    ["%x", -1, "ffffffff"],
    ["%#x", 255, "0xff"],
    ["%#X", 255, "0XFF"],
    ["%#010x", 255, "0x000000ff"],
    ["%#o", 8, "010"],
    ["%#o", 0, "0"],
    ["%hhx", 0x1ff, "ff"],
    ["%hd", 0x18000, "-32768"],
    ["%zu", 12n, "12"],
    ["%i%%", 3, "3%"],
    ["%08lx", 0xabcn, "00000abc"],
  ];
  for (const [format, value, expected] of cases) {
    assert.equal(print(format, value), expected, format);
  }
});

Deno.test("strings are padded and truncated by bytes", () => {
  assert.equal(print("%8s|", "abc"), "     abc|");
  assert.equal(print("%-8s|", "abc"), "abc     |");
  assert.equal(print("%.2s|", "abc"), "ab|");
  assert.equal(print("%6s|", "é"), "    é|");
  assert.equal(print("%8.8s-", "kworker/0:1"), "kworker/-");
});

Deno.test("an invalid conversion ends the text, as in the kernel", () => {
  const pieces = parseFormat("a %d b %n c");
  assert.deepEqual(pieces.map(({ spec }) => spec?.conversion), ["d", "?"]);
  assert.deepEqual(parseFormat("100%"), [
    { literal: "100", spec: parseFormat("%")[0].spec },
  ]);
});

Deno.test("pointer extensions are read to their end", () => {
  const [piece] = parseFormat("%pISpc,");
  assert.equal(piece.spec?.pointer, "ISpc");
  const [list] = parseFormat("%*pbl");
  assert.equal(list.spec?.pointer, "bl");
  assert.equal(list.spec?.width, -2);
});
