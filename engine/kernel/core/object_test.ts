import assert from "node:assert/strict";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { BtfBuilder } from "../btf/btf_fixture.ts";
import { BtfTypes } from "../btf/btf_types.ts";
import { FixtureGuest } from "./kernel_fixture.ts";
import { listFrom } from "./object.ts";

function types(): BtfTypes {
  const b = new BtfBuilder();
  const u8 = b.int("u8", 1);
  const u16 = b.int("u16", 2);
  const u32 = b.int("u32", 4);
  const u64 = b.int("u64", 8);
  const char = b.int("char", 1);
  const list = b.compound("struct", "list_head", 16, [
    { name: "next", type: u64, bits: 0 },
    { name: "prev", type: u64, bits: 64 },
  ]);
  b.compound("struct", "thing", 104, [
    { name: "byte", type: u8, bits: 0 },
    { name: "half", type: u16, bits: 16 },
    { name: "word", type: u32, bits: 32 },
    { name: "long_word", type: u64, bits: 64 },
    { name: "list", type: list, bits: 128 },
    { name: "name", type: u64, bits: 256 },
    { name: "comm", type: b.array(char, 16), bits: 320 },
    { name: "next", type: u64, bits: 448 },
  ]);
  b.compound("struct", "flags", 16, [
    { name: "low", type: u32, bits: 0, width: 3 },
    { name: "mid", type: u32, bits: 3, width: 7 },
    { name: "across", type: u64, bits: 28, width: 10 },
    { name: "top", type: u32, bits: 63, width: 1 },
    { name: "wide", type: u64, bits: 64, width: 32 },
    { name: "plain", type: u32, bits: 96, width: 0 },
  ]);
  return new BtfTypes(b.build());
}

function guest() {
  const fixture = new FixtureGuest(types());
  const gva = fixture.create("thing");
  return { fixture, gva, thing: fixture.kernel.object("thing", gva) };
}

Deno.test("integers of all widths", () => {
  const { fixture, gva, thing } = guest();
  fixture.setU64(gva, 0xffff_fffe_8001_00ffn);
  fixture.setU64(gva + 8n, 0x1f_ffff_ffff_ffffn);
  assert.equal(thing.number("byte"), 0xff);
  assert.equal(thing.number("half"), 0x8001);
  assert.equal(thing.number("word"), 0xffff_fffe);
  assert.equal(thing.s32("word"), -2);
  assert.equal(thing.number("long_word"), Number.MAX_SAFE_INTEGER);
  assert.equal(thing.u64("long_word"), 0x1f_ffff_ffff_ffffn);
  assert.equal(thing.u64("word"), 0xffff_fffen);
  fixture.setU64(gva + 8n, 1n << 53n);
  assert.throws(
    () => thing.number("long_word"),
    /thing\.long_word holds 0x20000000000000, which is more than it can mean/,
  );
});

Deno.test("members that are not numbers, or do not exist", () => {
  const { thing } = guest();
  assert.throws(() => thing.number("list"), /thing\.list .*is not a number/);
  assert.throws(() => thing.number("absent"), KernelError);
  assert.throws(() => thing.at("absent"), /no member absent/);
  assert.equal(thing.has("list.next"), true);
  assert.equal(thing.has("list.absent"), false);
  assert.equal(thing.at("list.prev"), thing.gva + 24n);
});

Deno.test("bit-fields, including those that cross words", () => {
  const { fixture } = guest();
  const gva = fixture.create("flags");
  const flags = fixture.kernel.object("flags", gva);
  const across = 0x2adn;
  const low = 5n | (0x55n << 3n) | (across << 28n) | (1n << 63n);
  fixture.setU64(gva, low);
  fixture.setU64(gva + 8n, 0xdeadbeefn);
  assert.equal(flags.number("low"), 5);
  assert.equal(flags.number("mid"), 0x55);
  assert.equal(flags.number("across"), 0x2ad);
  assert.equal(flags.number("top"), 1);
  assert.equal(flags.number("wide"), 0xdeadbeef);
  fixture.setU64(gva, ~low & 0xffff_ffff_ffff_ffffn);
  assert.equal(flags.number("low"), 2);
  assert.equal(flags.number("mid"), 0x2a);
  assert.equal(flags.number("across"), 0x152);
  assert.equal(flags.number("top"), 0);
});

Deno.test("a bit-field at the end of mapped memory", () => {
  const { fixture } = guest();
  // The word that holds it is the last one in RAM.
  const gva = BigInt(fixture.bytes.length) - 8n;
  const last = fixture.kernel.object("flags", gva + 0xffff888000000000n);
  fixture.view.setUint32(fixture.bytes.length - 4, 0x80000000, true);
  assert.equal(last.number("top"), 1);
});

Deno.test("pointers, strings and embedded objects", () => {
  const { fixture, gva, thing } = guest();
  assert.equal(thing.follow("next", "thing"), undefined);
  assert.equal(thing.stringAt("name"), undefined);
  fixture.setU64(gva + 32n, fixture.text("a name"));
  fixture.setU64(gva + 56n, gva);
  assert.equal(thing.stringAt("name"), "a name");
  assert.equal(thing.stringAt("name", 3), "a n");
  assert.equal(thing.follow("next", "thing")?.gva, gva);
  fixture.bytes.fill(0x78, fixture.gpa(gva + 40n), fixture.gpa(gva + 56n));
  assert.equal(thing.chars("comm"), "x".repeat(16));
  const list = thing.embedded("list", "list_head");
  assert.equal(list.gva, gva + 16n);
  fixture.setU64(gva + 32n, 0x1234n);
  assert.throws(() => thing.stringAt("name"), MemoryError);
});

/**
 * Builds a circular list of `count` things; returns their GVAs, the head first.
 */
function ring(fixture: FixtureGuest, count: number): bigint[] {
  const things = Array.from({ length: count }, () => fixture.create("thing"));
  const [head, ...nodes] = things.map((gva) => gva + 16n);
  fixture.link(head, ...nodes);
  return things;
}

Deno.test("lists are walked in order and without their head", () => {
  const { fixture } = guest();
  const [head, ...rest] = ring(fixture, 5);
  const found = [
    ...fixture.kernel.object("thing", head).list("list", "thing", "list"),
  ];
  assert.deepEqual(found.map(({ gva }) => gva), rest);
  const [alone] = ring(fixture, 1);
  assert.deepEqual(
    [...listFrom(fixture.kernel, alone + 16n, "thing", "list")],
    [],
  );
});

Deno.test("a list that does not lead back to its head ends with an error", () => {
  const { fixture } = guest();
  const [head, first, second] = ring(fixture, 3);
  // second -> first: the walk never arrives back at the head.
  fixture.setU64(second + 16n, first + 16n);
  const list = () => [
    ...fixture.kernel.object("thing", head).list("list", "thing", "list", 100),
  ];
  assert.throws(list, (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /does not end within 100 entries/);
    return true;
  });
  // A list exactly as long as the limit is not taken for an endless one.
  const things = ring(fixture, 101);
  assert.equal(
    [
      ...fixture.kernel.object("thing", things[0])
        .list("list", "thing", "list", 100),
    ].length,
    100,
  );
});

Deno.test("a list that leads to unmapped memory", () => {
  const { fixture } = guest();
  const [head, first] = ring(fixture, 3);
  fixture.setU64(first + 16n, 0n);
  const seen: bigint[] = [];
  assert.throws(() => {
    for (
      const { gva } of fixture.kernel.object("thing", head)
        .list("list", "thing", "list")
    ) seen.push(gva);
  }, MemoryError);
  assert.equal(seen[0], first);
});
