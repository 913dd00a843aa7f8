import assert from "node:assert/strict";
import type { EventFormat } from "../../../ftrace/events/formats.ts";
import type { TextEnvironment } from "../environment.ts";
import { RecordBytes } from "../record.ts";
import { field } from "./event_field_fixture.ts";
import { compilePrintFmt } from "./render.ts";

const ENV: TextEnvironment = {
  symbols: { bare: () => "", ps: () => "", pS: () => "", pB: () => "" },
  string: () => undefined,
  hz: 250,
};

const FIELDS = [
  field("data", "__data_loc char[]", 8, 4),
  field("rel", "__rel_loc char[]", 12, 4),
  field("n", "int", 16, 4, true),
  field("h", "u16", 20, 2),
  field("s16", "s16", 22, 2, true),
  field("w", "u32", 24, 4),
  field("q", "u64", 32, 8),
  field("sq", "s64", 40, 8, true),
  field("bytes", "u8[8]", 48, 8),
  field("shorts", "u16[4]", 48, 8),
  field("longs", "u64[1]", 48, 8),
  field("p", "void *", 48, 8),
];
const END = 64;

const loc = (offset: number, length: number) => (length << 16 | offset) >>> 0;

/** An event of 64 bytes; values not given are 0. */
function recordOf(
  values: {
    readonly data?: number;
    readonly rel?: number;
    readonly n?: number;
    readonly h?: number;
    readonly s16?: number;
    readonly w?: number;
    readonly q?: bigint;
    readonly bytes?: readonly number[];
    readonly end?: string;
  },
  size = END,
): RecordBytes {
  const bytes = new Uint8Array(Math.max(size, END));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, values.data ?? 0, true);
  view.setUint32(12, values.rel ?? 0, true);
  view.setInt32(16, values.n ?? 0, true);
  view.setUint16(20, values.h ?? 0, true);
  view.setInt16(22, values.s16 ?? 0, true);
  view.setUint32(24, values.w ?? 0, true);
  view.setBigUint64(32, values.q ?? 0n, true);
  view.setBigUint64(40, values.q ?? 0n, true);
  bytes.set(values.bytes ?? [], 48);
  bytes.set(new TextEncoder().encode(values.end ?? ""), 56);
  return new RecordBytes(bytes.slice(0, size));
}

function compiled(format: string, expression: string, env = ENV) {
  const event: EventFormat = {
    id: 1,
    system: "test",
    name: "test",
    fields: FIELDS,
    printFmt: `"${format}", ${expression}`,
  };
  return compilePrintFmt(event, env);
}

function text(
  format: string,
  expression: string,
  values: Parameters<typeof recordOf>[0],
  size = END,
): string {
  const { render, failure } = compiled(format, expression);
  assert.equal(failure, undefined, expression);
  return render(recordOf(values, size)).replace(/\n$/, "");
}

const failure = (expression: string, env = ENV) =>
  compiled("%d", expression, env).failure ?? "";

Deno.test("dynamic strings end at the event, wherever the event says they are", () => {
  const str = (data: number, size = END) =>
    text("[%s]", "__get_str(data)", { data, end: "abcdefgh" }, size);
  assert.equal(str(loc(56, 3)), "[abcdefgh]");
  assert.equal(str(loc(60, 0xffff)), "[efgh]");
  assert.equal(str(loc(64, 4)), "[]");
  assert.equal(str(loc(0xffff, 0xffff)), "[]");
  assert.equal(str(loc(56, 8), 60), "[abcd]");
  const rel = (at: number) =>
    text("[%s]", "__get_rel_str(rel)", { rel: loc(at, 8), end: "abcdefgh" });
  assert.equal(rel(40), "[abcdefgh]");
  assert.equal(rel(0xffff), "[]");
});

Deno.test("a string of a probe is quoted, and shown as a fault if it has no bytes", () => {
  const probe = (data: number) =>
    text("%s", "__probe_string(data)", { data, end: "name" });
  assert.equal(probe(loc(56, 5)), '"name"');
  assert.equal(probe(loc(56, 0)), "(fault)");
});

Deno.test("a length is what the event says, and nothing is read for it", () => {
  assert.equal(
    text("%d", "__get_dynamic_array_len(data)", { data: loc(56, 0xfffe) }),
    "65534",
  );
  assert.equal(
    text("%d", "__get_rel_dynamic_array_len(rel)", { rel: loc(0, 3) }),
    "3",
  );
});

Deno.test("a bitmask is no longer than its event, whatever length it claims", () => {
  const mask = (data: number) =>
    text("%s", "__get_bitmask(data)", { data, end: "\x01" });
  assert.equal(mask(loc(56, 8)), "00000000,00000001");
  assert.equal(mask(loc(56, 4)), "00000001");
  assert.equal(mask(loc(56, 0)), "");
  assert.ok(mask(loc(56, 0xffff)).length < 200);
  assert.equal(
    text("%s", "__get_rel_cpumask(rel)", { rel: loc(40, 4), end: "\x03" }),
    "00000003",
  );
});

Deno.test("hexadecimal bytes: none, a negative number, and more than there are", () => {
  const hex = (n: number, name = "__print_hex") =>
    text("[%s]", `${name}(REC->bytes, REC->n)`, { n, bytes: [1, 0xab] });
  assert.equal(hex(2), "[01 ab]");
  assert.equal(hex(2, "__print_hex_str"), "[01ab]");
  assert.equal(hex(0), "[]");
  assert.equal(hex(-1), "[]");
  const all = hex(0x7fffffff);
  assert.ok(all.startsWith("[01 ab 00 "));
  assert.equal(all.length, 3 * END + 1);
});

Deno.test("arrays of elements of each size, of any length", () => {
  const array = (name: string, count: string, size: number, n = 0) =>
    text("%s", `__print_array(REC->${name}, ${count}, ${size})`, {
      n,
      bytes: [1, 2, 3, 4, 5, 6, 7, 0x88],
    });
  assert.equal(array("bytes", "3", 1), "{0x1,0x2,0x3}");
  assert.equal(array("shorts", "2", 2), "{0x201,0x403}");
  assert.equal(array("bytes", "2", 4), "{0x4030201,0x88070605}");
  assert.equal(array("longs", "1", 8), "{0x8807060504030201}");
  assert.equal(array("bytes", "REC->n", 1), "{}");
  assert.equal(array("bytes", "REC->n", 1, -5), "{}");
  assert.ok(array("bytes", "REC->n", 1, 1 << 30).length < 6 * END);
  assert.match(
    failure("__print_array(REC->bytes, 2, 3)"),
    /elements of 3 bytes/,
  );
  assert.match(
    failure("__print_array(REC->bytes, 2, REC->n)"),
    /elements of 0 bytes/,
  );
});

Deno.test("a dynamic array has as many elements as fit into its length", () => {
  const array = (length: number, size: number) =>
    text("%s", `__print_dynamic_array(data, ${size})`, {
      data: loc(56, length),
      end: "\x01\x02\x03\x04\x05",
    });
  assert.equal(array(5, 1), "{0x1,0x2,0x3,0x4,0x5}");
  assert.equal(array(5, 2), "{0x201,0x403}");
  assert.equal(array(1, 8), "{}");
  assert.ok(array(0xffff, 1).length < 6 * END);
});

Deno.test("times are split into seconds and the rest, also beyond 2^63 ns", () => {
  const split = (q: bigint) =>
    text(
      "%llu.%09u",
      "__print_ns_to_secs(REC->q), __print_ns_without_secs(REC->q)",
      { q },
    );
  assert.equal(split(0n), "0.000000000");
  assert.equal(split(1_999_999_999n), "1.999999999");
  assert.equal(split((1n << 64n) - 1n), "18446744073.709551615");
  assert.equal(
    text("%llu", "__print_ns_to_secs(REC->sq)", { q: (1n << 64n) - 1n }),
    "18446744073",
  );
});

Deno.test("times of the kernel in larger units are rounded towards zero", () => {
  const inUnits = (unit: string, q: bigint) =>
    text("%lld", `ktime_to_${unit}(REC->q)`, { q: BigInt.asUintN(64, q) });
  assert.equal(inUnits("ns", -5n), "-5");
  assert.equal(inUnits("us", 1_999_999n), "1999");
  assert.equal(inUnits("us", -1_999n), "-1");
  assert.equal(inUnits("ms", 1_999_999n), "1");
});

Deno.test("jiffies need to know how long one is", () => {
  const ms = (hz: number) => {
    const { render } = compiled("%u", "jiffies_to_msecs(REC->w)", {
      ...ENV,
      hz,
    });
    return render(recordOf({ w: 7 }));
  };
  assert.deepEqual([ms(1000), ms(100), ms(250)], ["7\n", "70\n", "28\n"]);
  const { hz: _, ...without } = ENV;
  assert.match(failure("jiffies_to_msecs(REC->w)", without), /HZ/);
  assert.match(failure("jiffies_to_msecs(REC->w)", { ...ENV, hz: 300 }), /HZ/);
});

Deno.test("byte orders: swapped, kept, and cut to their width", () => {
  const values = { h: 0x1234, s16: -2, w: 0x12345678, q: 0x0102030405060708n };
  const hex = (expression: string) => text("%llx", expression, values);
  assert.equal(hex("be16_to_cpu(REC->h)"), "3412");
  assert.equal(hex("__be16_to_cpu(REC->s16)"), "feff");
  assert.equal(hex("be16_to_cpu(REC->w)"), "7856");
  assert.equal(hex("be32_to_cpu(REC->w)"), "78563412");
  assert.equal(hex("__cpu_to_be32(REC->w)"), "78563412");
  assert.equal(hex("be64_to_cpu(REC->q)"), "807060504030201");
  assert.equal(hex("le32_to_cpu(REC->w)"), "12345678");
  assert.equal(hex("le16_to_cpu(REC->w)"), "5678");
  assert.equal(hex("cpu_to_le64(REC->q)"), "102030405060708");
  assert.equal(hex("ntohs(REC->h)"), "3412");
  assert.equal(hex("__htonl(REC->w)"), "78563412");
  assert.equal(hex("__swab16(REC->h)"), "3412");
  assert.equal(hex("__builtin_bswap64(REC->q)"), "807060504030201");
});

Deno.test("byte orders of what a pointer points to", () => {
  const bytes = [0x11, 0x22, 0x33, 0x44];
  const hex = (expression: string) => text("%x", expression, { bytes });
  assert.equal(hex("be32_to_cpup((u32 *)REC->bytes)"), "11223344");
  assert.equal(hex("le16_to_cpup((u16 *)REC->bytes)"), "2211");
  // The guest's memory may have changed since the event.
  assert.match(failure("be32_to_cpup(REC->p)"), /bytes outside the event/);
});

Deno.test("what the compiler would decide is decided as for a value that it does not know", () => {
  const value = (expression: string) => text("%d", expression, { n: 5 });
  assert.equal(value("__builtin_constant_p(REC->n) ? 1 : REC->n"), "5");
  assert.equal(value("__builtin_expect(REC->n, 0)"), "5");
  assert.equal(value("READ_ONCE(REC->n)"), "5");
});

Deno.test("what cannot be known from the event's bytes is refused with a reason", () => {
  assert.match(failure("some_function(REC->n)"), /some_function\(\) is a func/);
  assert.match(failure("be24_to_cpu(REC->n)"), /is a function of the kernel/);
  assert.match(failure("__get_str(nonesuch)"), /does not name a field/);
  assert.match(failure("__get_str()"), /does not name a field/);
  assert.match(failure("__get_dynamic_array_len(3)"), /does not name a field/);
  assert.match(failure("__print_hex(REC->bytes)"), /lacks argument 2/);
  assert.match(failure("READ_ONCE()"), /lacks argument 1/);
  assert.match(failure("__print_hex(REC->q, 4)"), /bytes outside the event/);
});

Deno.test("fields that all events have", () => {
  const bytes = new Uint8Array(END);
  bytes.set([7, 0, 0x18, 2, 0xff, 0xff, 0xff, 0xff]);
  const { render, failure } = compiled(
    "%d %d %x %s",
    'REC->ent.pid, REC->common_type, REC->common_preempt_count, (REC->common_flags & 0x18) ? "(in-irq)" : ""',
  );
  assert.equal(failure, undefined);
  assert.equal(render(new RecordBytes(bytes)), "-1 7 2 (in-irq)\n");
});

Deno.test("a block of variables, as min() makes it", () => {
  const least =
    "({ int a = (REC->n); int b = (128); ((a) < (b) ? (a) : (b)); })";
  assert.equal(text("%d", least, { n: 5 }), "5");
  assert.equal(text("%d", least, { n: 500 }), "128");
  const cut = "({ unsigned char c = REC->n; c; })";
  assert.equal(text("%d", cut, { n: 0x1ff }), "255");
  // Values that would multiply what they stand for are refused.
  assert.match(failure("({ int a = 1; int b = a + a; b; })"), /"a" is not/);
  assert.match(
    failure("({ int a = ({ int b = 1; b + b; }); a + a; })"),
    /a value without a statement block/,
  );
});

Deno.test("a hex dump has a line for each row", () => {
  const dump = (more: string, values: Parameters<typeof recordOf>[0]) =>
    text("%s", `__print_hex_dump("p: ", ${more})`, values);
  const bytes = [1, 2, 0x41, 0x42, 5, 6, 7, 8];
  assert.equal(
    dump("2, 16, 1, REC->bytes, 3, 1", { bytes }),
    "\np: 00000000: 01 02 41" + " ".repeat(41) + "..A\n",
  );
  assert.equal(
    dump("0, 16, 4, REC->bytes, 8, false", { bytes }),
    "\np: 42410201 08070605\n",
  );
  assert.equal(
    dump("0, 16, 4, REC->bytes, 6, 0", { bytes }),
    "\np: 01 02 41 42 05 06\n",
  );
  // Other kinds of prefix are none; the kind and the prefix may be fields.
  assert.equal(
    dump("REC->n, 16, 8, REC->bytes, 8, 0", { n: 7, bytes }),
    "\np: 0807060542410201\n",
  );
  assert.equal(
    dump("REC->n, 16, 8, REC->bytes, 8, 0", { n: 2, bytes }),
    "\np: 00000000: 0807060542410201\n",
  );
  const prefixed = (prefix: string) =>
    text("%s", `__print_hex_dump(${prefix}, 0, 16, 1, REC->bytes, 1, 0)`, {
      data: loc(56, 5),
      bytes,
      end: "at: ",
    });
  assert.equal(prefixed("__get_str(data)"), "\nat: 01\n");
  assert.equal(prefixed("((void *)0)"), "\n(null)01\n");
});

Deno.test("a hex dump does not tell where the kernel's reader kept the event", () => {
  assert.equal(
    text("%s", '__print_hex_dump("b ", 1, 16, 1, REC->bytes, 20, 0)', {}),
    "\n" +
      ["00 ".repeat(16), "00 ".repeat(4)].map((row) =>
        `b (____ptrval____): ${row.trim()}\n`
      ).join(""),
  );
});

Deno.test("text that a function of the kernel writes as it prints is refused with its name", () => {
  const decoded = failure("xhci_decode_trb(__get_buf(500), 500, REC->n)");
  assert.match(decoded, /xhci_decode_trb\(\) writes its text with code/);
  assert.match(failure("__get_buf(16)"), /room for text/);
});

Deno.test("a list of names may end with a 0 in the place of NULL", () => {
  const name = '__print_symbolic(REC->n, { 1, "one" }, { -1, 0 })';
  assert.deepEqual(
    [text("%s", name, { n: 1 }), text("%s", name, { n: 2 })],
    ["one", "0x2"],
  );
});

Deno.test("bitmasks are lists with the option bitmask-list", () => {
  const { render } = compiled("%s", "__get_cpumask(data)", {
    ...ENV,
    bitmaskList: true,
  });
  assert.equal(
    render(recordOf({ data: loc(48, 8), bytes: [0x0f, 0x01] })),
    "0-3,8\n",
  );
});
