import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../../base/long_fixture.ts";
import type { EventFormat } from "../../../ftrace/events/formats.ts";
import type { TextEnvironment } from "../environment.ts";
import { RecordBytes } from "../record.ts";
import { field } from "./event_field_fixture.ts";
import { compilePrintFmt, FAILED_MARK } from "./render.ts";

const ENV: TextEnvironment = {
  symbols: {
    bare: (lo) => `bare_${lo.toString(16)}`,
    ps: (lo) => `ps_${lo.toString(16)}`,
    pS: (lo) => `pS_${lo.toString(16)}+0x0/0x10`,
    pB: (lo) => `pB_${lo.toString(16)}`,
  },
  string: (lo) => lo === 0x1000 ? "kernel text" : undefined,
  enumerator: (name) => name === "SOME_ENUM" ? 3 : undefined,
  variable: (name) => name === "vmemmap_base" ? 0x1000n : undefined,
  structSize: (name) => name === "page" ? 64 : undefined,
  hz: 250,
};

const FIELDS = [
  field("i", "int", 8, 4, true),
  field("u", "unsigned int", 12, 4),
  field("l", "long", 16, 8, true),
  field("ul", "unsigned long", 24, 8),
  field("comm", "char[16]", 32, 16),
  field("mac", "u8[6]", 48, 6),
  field("c", "char", 54, 1, true),
  field("h", "u16", 56, 2),
  field("name", "__data_loc char[]", 60, 4),
  field("p", "void *", 64, 8),
  field("str", "const char *", 72, 8),
  field("words", "u32[3]", 80, 12),
  field("rel", "__rel_loc char[]", 92, 4),
];
/** Offset of the record's dynamic strings. */
const DYNAMIC = 96;

function record(): { bytes: Uint8Array<ArrayBuffer>; view: DataView } {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  view.setInt32(8, -5, true);
  view.setUint32(12, 0xfffffffb, true);
  view.setBigInt64(16, -7n, true);
  view.setBigUint64(24, 0x123456789abcn, true);
  bytes.set(new TextEncoder().encode("kworker/0:1"), 32);
  bytes.set([1, 2, 3, 4, 5, 6, 0xfe], 48);
  view.setUint16(56, 0x1234, true);
  view.setUint32(60, 6 << 16 | DYNAMIC, true);
  bytes.set(new TextEncoder().encode("hello\0"), DYNAMIC);
  view.setBigUint64(64, 0xffffffff81000000n, true);
  view.setBigUint64(72, 0x1000n, true);
  [1, 0x22, 0x333].forEach((w, i) => view.setUint32(80 + 4 * i, w, true));
  // Relative to the end of the field itself.
  view.setUint32(92, 6 << 16 | DYNAMIC - 96, true);
  return { bytes, view };
}

function compiled(printFmt: string, env = ENV) {
  const format: EventFormat = {
    id: 1000,
    system: "test",
    name: "test",
    fields: FIELDS,
    printFmt,
  };
  return compilePrintFmt(format, env);
}

function render(printFmt: string, env = ENV): string {
  const { render, failure } = compiled(printFmt, env);
  assert.equal(failure, undefined, printFmt);
  const text = render(new RecordBytes(record().bytes));
  assert.ok(text.endsWith("\n"));
  return text.slice(0, -1);
}

Deno.test("fields are printed according to their types", () => {
  assert.equal(
    render('"%d %u %ld 0x%lx", REC->i, REC->u, REC->l, REC->ul'),
    "-5 4294967291 -7 0x123456789abc",
  );
  assert.equal(render('"%s|%.3s", REC->comm, REC->comm'), "kworker/0:1|kwo");
  assert.equal(render('"%c%d", REC->i + 70, REC->c'), "A-2");
  assert.equal(render('"%x", REC->h'), "1234");
  assert.equal(render('"no arguments"'), "no arguments");
});

Deno.test("dynamic arrays, strings and bytes", () => {
  assert.equal(
    render(
      '"%s %s %d %s", __get_str(name), (char *)__get_dynamic_array(name), ' +
        "__get_dynamic_array_len(name), __get_rel_str(rel)",
    ),
    "hello hello 6 hello",
  );
  assert.equal(render('"%pM", REC->mac'), "01:02:03:04:05:06");
  assert.equal(render('"%*phC", 3, REC->mac'), "01:02:03");
  assert.equal(
    render('"%s", __print_hex(REC->mac, 6)'),
    "01 02 03 04 05 06",
  );
  assert.equal(render('"%s", __print_hex_str(REC->mac, 3)'), "010203");
  assert.equal(
    render('"%s", __print_array(REC->words, 3, 4)'),
    "{0x1,0x22,0x333}",
  );
  assert.equal(
    render('"%s", __print_dynamic_array(name, 1)'),
    "{0x68,0x65,0x6c,0x6c,0x6f,0x0}",
  );
  assert.equal(render('"%s", __get_bitmask(name)'), "006f,6c6c6568");
});

Deno.test("a long __print_hex has spaces in the same places as in the kernel", () => {
  const fmt = '"%s", __print_hex(REC->comm, 17)';
  const spaced = render(fmt, { ...ENV, hexChunkSpace: true });
  const joined = render(fmt, { ...ENV, hexChunkSpace: false });
  assert.equal(spaced.length, 17 * 3 - 1);
  assert.equal(joined.length, 17 * 3 - 2);
});

Deno.test("flags and symbols by name", () => {
  const flags = (value: string) =>
    render(
      `"%s", __print_flags(${value}, "|", { 0x1, "A" }, { 0x2, "B" }, ` +
        '{ 0x4UL, "C" })',
    );
  assert.equal(flags("0"), "");
  assert.equal(flags("3"), "A|B");
  assert.equal(flags("0x18"), "0x18");
  assert.equal(flags("0xc"), "C|0x8");
  const symbol = (value: string) =>
    render(
      `"%s", __print_symbolic(${value}, { 0, "zero" }, { -5, "minus" }, ` +
        '{ SOME_ENUM, "enum" }, { -1, ((void *)0) })',
    );
  assert.equal(symbol("0"), "zero");
  assert.equal(symbol("REC->i"), "minus");
  assert.equal(symbol("3"), "enum");
  assert.equal(symbol("7"), "0x7");
  assert.equal(symbol("-2"), "0xfffffffffffffffe");
});

Deno.test("a real event: sched_switch", () => {
  const printFmt =
    '"state=%s%s ==> %d", (REC->l & ((((0x00000000 | 0x00000001 | ' +
    "0x00000002) | 0x00000004) + 1) << 1) - 1) ? " +
    '__print_flags(REC->l & 3, "|", { 0x00000001, "S" }, ' +
    '{ 0x00000002, "D" }) : "R", REC->l & 8 ? "+" : "", REC->i';
  assert.equal(render(printFmt), "state=S+ ==> -5");
});

Deno.test("pointers: symbols, kernel strings, arithmetic, NULL", () => {
  assert.equal(render('"%pS", REC->p'), "pS_81000000+0x0/0x10");
  assert.equal(render('"%ps", (void *)REC->p'), "ps_81000000");
  assert.equal(render('"%s", REC->str'), "kernel text");
  assert.equal(render('"%s", REC->p'), "(0xffffffff81000000)");
  assert.equal(render('"%s", (char *)0'), "(null)");
  assert.equal(
    render('"%px", ((struct page *)vmemmap_base) + REC->h'),
    (0x1000 + 0x1234 * 64).toString(16).padStart(16, "0"),
  );
  assert.equal(render('"%s", REC->i ? __get_str(name) : "none"'), "hello");
});

Deno.test("arrays and casts", () => {
  assert.equal(render('"%x", REC->words[2]'), "333");
  assert.equal(render('"%x", *(u16 *)REC->mac'), "201");
  assert.equal(render('"%x", ((u8 *)REC->words)[4]'), "22");
  assert.equal(render('"%x", *(&REC->h)'), "1234");
  assert.equal(render('"%lu", sizeof(REC->words)'), "12");
  assert.equal(render('"%lu", sizeof(struct page)'), "64");
  assert.equal(render('"%d", (u8)REC->u'), "251");
  assert.equal(render('"%d", (signed char)REC->u'), "-5");
  assert.equal(render('"%lu", (unsigned long)REC->i'), "18446744073709551611");
  assert.equal(render('"%lu", (unsigned long)REC->u'), "4294967291");
});

Deno.test("helpers whose results depend only on the bytes", () => {
  assert.equal(render('"%llu", __print_ns_to_secs(3500000000ULL)'), "3");
  assert.equal(
    render('"%u", __print_ns_without_secs(3500000000ULL)'),
    "500000000",
  );
  assert.equal(render('"%u", jiffies_to_msecs(5)'), "20");
  assert.equal(render('"%x", __builtin_bswap16(REC->h)'), "3412");
  assert.equal(render('"%x", be32_to_cpu(0x11223344)'), "44332211");
});

Deno.test("C's precedence and conversions", () => {
  const cases: [string, string][] = [
    ["1 + 2 * 3 - 4 / 2", "5"],
    ["1 << 2 + 1", "8"],
    ["1 | 2 & 3 ^ 1", "3"],
    ["5 > 3 == 1", "1"],
    ["!0 && !1 || 1", "1"],
    ["-7 / 2", "-3"],
    ["-7 % 3", "-1"],
    ["~0", "-1"],
    ["0 ? 1 : 2 ? 3 : 4", "3"],
    ["-1 < 0u", "0"],
    ["-1L < 0u", "1"],
    ["(1 ?: 9) + (0 ?: 9)", "10"],
    ["7 / 0", "0"],
    ["'A'", "65"],
    ["010 + 0x10", "24"],
  ];
  for (const [expression, expected] of cases) {
    assert.equal(render(`"%d", ${expression}`), expected, expression);
  }
});

const OPERATORS: Record<string, (a: bigint, b: bigint) => bigint> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => b === 0n ? 0n : a / b,
  "%": (a, b) => b === 0n ? 0n : a % b,
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<": (a, b) => a < b ? 1n : 0n,
  ">=": (a, b) => a >= b ? 1n : 0n,
  "==": (a, b) => a === b ? 1n : 0n,
};
const TYPES: Record<string, { bits: number; signed: boolean }> = {
  i: { bits: 32, signed: true },
  u: { bits: 32, signed: false },
  l: { bits: 64, signed: true },
  ul: { bits: 64, signed: false },
};

Deno.test("arithmetic agrees with C on every pair of types", () => {
  const cut = (value: bigint, bits: number, signed: boolean) =>
    signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const value = fc.oneof(
    fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }),
    fc.bigInt({ min: -3n, max: 3n }),
    fc.constantFrom(0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 63n),
  );
  const names = fc.constantFrom(...Object.keys(TYPES));
  const operators = fc.constantFrom(...Object.keys(OPERATORS));
  fc.assert(
    fc.property(names, names, operators, value, value, (x, y, op, a, b) => {
      const { bytes, view } = record();
      const store = (name: string, at: bigint) => {
        const { bits } = TYPES[name];
        const offset = FIELDS.find((f) => f.name === name)!.offset;
        if (bits === 32) {
          view.setInt32(offset, Number(BigInt.asIntN(32, at)), true);
        } else view.setBigInt64(offset, BigInt.asIntN(64, at), true);
      };
      store(x, a);
      store(y, b);
      const left = TYPES[x];
      const right = TYPES[y];
      // If both are the same field, it contains what was stored last.
      const first = cut(x === y ? b : a, left.bits, left.signed);
      const second = cut(b, right.bits, right.signed);
      const bits = Math.max(left.bits, right.bits);
      const signed = left.bits === right.bits
        ? left.signed && right.signed
        : bits === left.bits
        ? left.signed
        : right.signed;
      const result = OPERATORS[op](
        cut(first, bits, signed),
        cut(second, bits, signed),
      );
      const compares = /[<>=]/.test(op);
      const expected = compares ? result : cut(result, bits, signed);
      const { render } = compiled(
        `"%lld", (long long)(REC->${x} ${op} REC->${y})`,
      );
      assert.equal(
        render(new RecordBytes(bytes)),
        BigInt.asIntN(64, expected) + "\n",
      );
    }),
    { numRuns: times(2000) },
  );
});

Deno.test("an event that cannot be rendered shows its fields after a mark", () => {
  const { render, failure } = compiled('"%s", some_function(REC->i)');
  assert.match(failure ?? "", /some_function\(\)/);
  const text = render(new RecordBytes(record().bytes));
  assert.ok(text.startsWith(`${FAILED_MARK} i=-5 u=0xfffffffb l=-7 `), text);
  assert.ok(text.includes(" comm=kworker/0:1 mac=ARRAY[01, 02,"), text);
  assert.ok(text.includes(" name=hello "), text);
});

Deno.test("a format that the kernel overwrites loses the same text as in the kernel", () => {
  const env = { ...ENV, checksStrings: true, hashPointers: false };
  assert.equal(
    render('"a=%s b=%s", REC->comm, __get_str(name)', env),
    "a= b=hello",
  );
  const { render: whole } = compiled('"%s b=%s", REC->comm, REC->comm', env);
  assert.equal(whole(new RecordBytes(record().bytes)), "");
});

Deno.test("an event that asks for an absurd width or precision gets one that can be held", () => {
  const { bytes, view } = record();
  const length = (printFmt: string) =>
    compiled(printFmt).render(new RecordBytes(bytes)).length - 1;
  for (const n of [0x7fffffff, -0x80000000, 1 << 24]) {
    view.setInt32(8, n, true);
    for (
      const format of [
        ...['"%*d", REC->i, 1', '"%*s", REC->i, "a"', '"%*p", REC->i, REC->p'],
        ...['"%.*d", REC->i, 1', '"%*pb", REC->i, REC->mac'],
        '"%*pbl", REC->i, REC->mac',
      ]
    ) assert.ok(length(format) < 40_000, format);
  }
  assert.equal(length('"%99999999999s", "a"'), 32767);
});

Deno.test("rendering never throws, for any print_fmt and any bytes", () => {
  const tokens = fc.constantFrom(
    ...[
      '"%d"',
      '"%s %p"',
      '"%*d %.*s"',
      '"%*pbl"',
      ",",
      "(",
      ")",
      "REC->i",
      "REC->comm",
      "->",
      "+",
    ],
    ...["?", ":", "{", "}", "__get_str", "__print_flags", "sizeof", "*", "&"],
    ...["-", "1", "0x8UL", "(int)", "[", "]", "<<", "name", '"|"', "'x'"],
  );
  const sources = fc.oneof(
    fc.array(tokens, { maxLength: 20 }).map((list) => list.join(" ")),
    fc.array(tokens, { maxLength: 12 }).map((list) =>
      '"%d %s", ' + list.join("")
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(sources, fc.uint8Array({ maxLength: 140 }), (source, bytes) => {
      const { render } = compiled(source);
      assert.equal(typeof render(new RecordBytes(bytes.slice())), "string");
    }),
    { numRuns: times(2000) },
  );
});

Deno.test("an expression nested or chained without end is shown raw, and soon", () => {
  const n = 20_000;
  const expressions = [
    "(".repeat(n) + "REC->i" + ")".repeat(n),
    "(int)".repeat(n) + "REC->i",
    "!".repeat(n) + "REC->i",
    "sizeof ".repeat(n) + "REC->i",
    "1 + ".repeat(n) + "REC->i",
    "REC->words" + "[0]".repeat(n),
    "REC->i" + "->x".repeat(n),
    "1 ? ".repeat(n) + "REC->i" + " : 2".repeat(n),
    "1 ?: ".repeat(n) + "REC->i",
    "__print_hex(".repeat(n) + "REC->i" + ")".repeat(n),
    "{".repeat(n) + "REC->i" + "}".repeat(n),
    "((1+1)+1)*".repeat(n / 10) + "REC->i",
  ];
  for (const expression of expressions) {
    const from = performance.now();
    const { render, failure } = compilePrintFmt(
      {
        id: 1,
        system: "test",
        name: "test",
        fields: FIELDS,
        printFmt: `"%d", ${expression}`,
      },
      ENV,
    );
    assert.notEqual(failure, undefined);
    const { bytes } = record();
    const of = new RecordBytes(bytes);
    assert.ok(render(of).startsWith(FAILED_MARK));
    assert.ok(performance.now() - from < 2000);
  }
});

Deno.test("a text longer than any that the kernel prints is cut", () => {
  const { render } = compilePrintFmt(
    {
      id: 1,
      system: "test",
      name: "test",
      fields: FIELDS,
      printFmt: `"${"%32000d".repeat(100)}"${", REC->i".repeat(100)}`,
    },
    ENV,
  );
  const text = render(new RecordBytes(record().bytes));
  assert.ok(text.length < 70_000 && text.endsWith("[LINE TOO BIG]\n"));
});
