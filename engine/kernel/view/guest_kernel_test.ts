import assert from "node:assert/strict";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { DIRECT_MAP } from "../core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../symbols/symbols_fixture.ts";
import { AT, THING, thingGuest } from "./view_fixture.ts";

const at = (gva: bigint, member: keyof typeof AT) => gva + BigInt(AT[member]);

Deno.test("members have the values that their C types define", () => {
  const { fixture, gva, kernel } = thingGuest();
  const { view } = fixture;
  const start = fixture.gpa(gva);
  view.setInt8(start + AT.s8, -2);
  view.setUint16(start + AT.u16, 0xfffe, true);
  view.setInt32(start + AT.s32, -3, true);
  fixture.setU64(at(gva, "u64"), 0xffff_ffff_ffff_fffen);
  view.setUint8(start + AT.flag, 1);
  view.setUint32(start + AT.state, 1, true);
  fixture.bytes.set(new TextEncoder().encode("a thing"), start + AT.name);
  fixture.bytes.fill(7, start + AT.uuid, start + AT.uuid + 16);
  view.setUint32(start + AT.wide, 11, true);
  view.setUint32(start + AT.wide + 4, 22, true);
  const thing = kernel().object("thing", gva);
  assert.equal(thing.s8, -2);
  assert.equal(thing.u16, 0xfffe);
  assert.equal(thing.s32, -3);
  assert.equal(thing.u64, 0xffff_ffff_ffff_fffen);
  assert.equal(thing.flag, true);
  assert.equal(thing.state, "ON");
  assert.equal(thing.name, "a thing");
  assert.deepEqual(thing.uuid, new Uint8Array(16).fill(7));
  assert.deepEqual([thing.low, thing.high], [11, 22], "anonymous struct");
  view.setUint32(start + AT.state, 9, true);
  assert.equal(thing.state, 9, "an enum's value without a name");
  assert.equal(thing.$integer("state"), 9n);
});

Deno.test("bit-fields: signed, unsigned, and of 64-bit types", () => {
  const { fixture, gva, kernel } = thingGuest();
  const word = 0b101 | (0b11110 << 3) | (1 << 8) | (0xabcde << 9);
  fixture.setU32(at(gva, "bits"), word >>> 0);
  const thing = kernel().object("thing", gva);
  assert.equal(thing.three, 5);
  assert.equal(thing.minus, -2);
  assert.equal(thing.one, true);
  assert.equal(thing.some, 0xabcde);
  assert.equal(thing.$integer("some"), 0xabcden);
});

Deno.test("pointers are followed, NULL is null", () => {
  const { fixture, gva, kernel } = thingGuest();
  const thing = kernel().object("thing", gva);
  assert.equal(thing.next, null);
  assert.equal(thing.text, null);
  assert.equal(thing.$member("next.next.u64"), null);
  const other = fixture.create("thing");
  fixture.setU64(at(gva, "next"), other);
  fixture.setU64(at(other, "u64"), 5n);
  fixture.setU64(at(gva, "text"), fixture.text("hello"));
  assert.equal(thing.$member("next.u64"), 5n);
  const next = kernel().object("struct thing *", at(gva, "next"));
  assert.equal(next?.$address, other);
  assert.equal(next?.$type, "struct thing");
  const text = kernel().object("char *", at(gva, "text"));
  assert.equal(text?.$string(), "hello");
  assert.equal(text?.$string(2), "he");
  assert.equal(text?.$type, "char *");
  assert.equal(text?.$element(1), "e".charCodeAt(0));
  // A pointer to unmapped memory gives an object; only reading through it
  // fails.
  fixture.setU64(at(gva, "next"), 0x10n);
  const lost = kernel().object("thing", gva).next;
  assert.ok(lost !== null && typeof lost === "object" && "u64" in lost);
  assert.throws(() => lost.u64, MemoryError);
});

Deno.test("functions are pointers with a symbol", () => {
  const { fixture, gva, kernel } = thingGuest();
  const schedule = FIXTURE_TEXT + 0x100n;
  fixture.setU64(at(gva, "call"), schedule);
  const call = kernel().object("void *", at(gva, "call"));
  assert.equal(call?.$symbol, "schedule");
  assert.equal(call?.$address, schedule);
  const thing = kernel().object("thing", gva);
  assert.match(
    Deno.inspect(thing),
    /\n {2}call: 0xffffffff81000100 <schedule>,\n/,
  );
  assert.equal(kernel().symbol(schedule), "schedule");
  assert.equal(kernel().symbol(schedule + 16n), "schedule+0x10");
  assert.equal(kernel().symbol(5n), undefined);
});

Deno.test("arrays: elements, bounds, several dimensions, flexible arrays", () => {
  const { fixture, gva, kernel } = thingGuest();
  for (let i = 0; i < 3; i++) {
    fixture.setU32(at(gva, "numbers") + BigInt(4 * i), i - 1 >>> 0);
  }
  for (let i = 0; i < 6; i++) {
    fixture.view.setUint16(fixture.gpa(at(gva, "rows")) + 2 * i, i, true);
  }
  const numbers = kernel().object("int[3]", at(gva, "numbers"));
  assert.equal(numbers.length, 3);
  assert.deepEqual([...numbers], [-1, 0, 1]);
  assert.equal(numbers[2], 1);
  assert.throws(() => numbers[3], /int\[3\] has no element 3: \$element/);
  assert.equal(numbers.$element(2), 1);
  assert.equal(numbers.$bytes().length, 12);
  const thing = kernel().object("thing", gva);
  assert.equal(thing.$member("rows[1][2]"), 5);
  assert.equal(thing.$addressOf("rows[1][2]"), at(gva, "rows") + 10n);
  assert.equal(thing.$typeOf("rows"), "short unsigned int[2][3]");
  assert.equal(thing.$member("numbers[0]"), -1);
  fixture.allocate(64);
  fixture.setU32(gva + BigInt(THING), 77);
  assert.equal(thing.$member("tail[0]"), 77);
});

Deno.test("paths, addresses, sizes; missing members are named in the error", () => {
  const { gva, kernel } = thingGuest();
  const thing = kernel().object("thing", gva);
  assert.equal(thing.$address, gva);
  assert.equal(thing.$type, "struct thing");
  assert.equal(thing.$size, THING);
  assert.equal(thing.$addressOf("link.prev"), at(gva, "link") + 8n);
  assert.equal(thing.$typeOf("link"), "struct list_head");
  assert.equal(thing.$has("link.prev"), true);
  assert.equal(thing.$has("link.absent"), false);
  assert.equal("link" in thing, true);
  assert.equal("absent" in thing, false);
  assert.ok(Object.keys(thing).includes("low"));
  assert.throws(
    () => thing.absent,
    /struct thing of this kernel has no member absent/,
  );
  assert.throws(() => thing.$member("link..x"), /is no path to a member/);
  assert.throws(
    () => thing.$addressOf("next.u64"),
    /next\.u64 leads through a pointer \(struct thing \*\)/,
  );
  assert.throws(() => Object.assign(thing, { u64: 1n }), /cannot be set/);
});

Deno.test("the struct that contains a member, and neighbours in an array", () => {
  const { fixture, gva, kernel } = thingGuest();
  const link = kernel().object("list_head", at(gva, "link"));
  const outer = link.$container("thing", "link");
  assert.equal(outer.$address, gva);
  assert.equal(outer.$type, "struct thing");
  const element = kernel().object("thing", gva).$element(2);
  assert.equal(element.$address, gva + 2n * BigInt(THING));
  assert.equal(link.$cast("struct rb_root").$type, "struct rb_root");
  assert.equal(link.$cast("unsigned long"), 0n);
  assert.throws(() => link.$cast("struct no"), /BTF has no type struct no/);
  assert.throws(
    () => kernel().object("struct lst_head *", gva),
    /BTF has no type struct lst_head \* \(near: list_head.*\): types are written/,
  );
  assert.throws(() => link.$cast("int ((*"), /types are written as in C/);
  assert.equal(fixture.kernel.space, fixture.space);
});

Deno.test("a length that is none is refused before memory is taken for it", () => {
  const { gva, kernel } = thingGuest();
  const guest = kernel();
  const thing = guest.object("thing", gva);
  const expected = {
    name: "KernelError",
    message: /is not a number of bytes that can be read at once/,
  };
  for (const length of [-1, 1.5, NaN, 2 ** 40]) {
    assert.throws(() => guest.bytes(gva, length), expected);
    assert.throws(() => guest.string(gva, length), expected);
    assert.throws(() => thing.$bytes(length), expected);
    assert.throws(() => thing.$string(length), expected);
  }
  assert.equal(guest.bytes(gva, 0).length, 0);
});

Deno.test("objects as values: text, JSON, await, copies", async () => {
  const { fixture, gva, kernel } = thingGuest();
  fixture.setU64(at(gva, "u64"), 1n << 60n);
  fixture.setU64(at(gva, "next"), gva);
  const thing = kernel().object("thing", gva);
  assert.equal(await thing, thing);
  assert.equal(`${thing}`, `struct thing at 0x${gva.toString(16)}`);
  const json = JSON.parse(JSON.stringify(thing));
  assert.equal(json.u64, String(1n << 60n));
  assert.equal(json.next, `0x${gva.toString(16)}`);
  assert.equal(json.state, "OFF");
  assert.deepEqual(json.numbers, [0, 0, 0]);
  const copy = { ...thing };
  fixture.setU64(at(gva, "u64"), 2n);
  assert.equal(copy.u64, 1n << 60n);
  assert.equal(thing.u64, 2n);
  const text = Deno.inspect(thing);
  assert.match(text, /^struct thing at 0x[0-9a-f]+ \{\n/);
  assert.match(text, /\n {2}u64: 2n,\n/);
  assert.match(text, /\n {2}next: 0x[0-9a-f]+ \(struct thing \*\),\n/);
  assert.match(text, /\n {2}rows: \[ \[ 0, 0, 0 \], \[ 0, 0, 0 \] \],\n/);
  // Unmapped memory is shown as such.
  const lost = Deno.inspect(kernel().object("thing", 0x1000n));
  assert.match(lost, /\n {2}u64: <cannot be read>,\n/);
});

Deno.test("variables typed by BTF, by the table of well-known ones, or by the caller", () => {
  const { fixture, kernel } = thingGuest();
  const page = fixture.image();
  fixture.symbol("nr_threads", page);
  fixture.symbol("my_things", page + 16n);
  fixture.symbol("twice", page + 32n);
  fixture.symbol("twice", page + 48n);
  fixture.setU32(page, 42);
  fixture.setU32(page + 16n, 43);
  const k = kernel();
  assert.equal(k.object("nr_threads"), 42);
  assert.equal(k.object("int", "my_things"), 43);
  assert.equal(k.object("unsigned int", page + 16n), 43);
  assert.equal(k.address("my_things"), page + 16n);
  assert.equal(k.hasSymbol("my_things"), true);
  assert.equal(k.hasSymbol("absent"), false);
  assert.throws(
    () => k.object("my_things"),
    /does not tell what type my_things has: give it, as in object\("TYPE", "my_things"\)/,
  );
  assert.throws(
    () => k.object("int", "twice"),
    /2 symbols of this kernel are named twice: give the address/,
  );
  assert.throws(() => k.object("int", "absent"), KernelError);
});

Deno.test("per-CPU variables", () => {
  const { fixture, kernel } = thingGuest();
  const page = fixture.image();
  const offsets = fixture.image(1);
  const [first, second] = [fixture.create("thing"), fixture.create("thing")];
  fixture.symbol("own_thing", page);
  fixture.symbol("__per_cpu_offset", offsets);
  [first, second].forEach((gva, cpu) => {
    fixture.setU64(
      offsets + BigInt(8 * cpu),
      BigInt.asUintN(64, gva - page),
    );
    fixture.setU64(at(gva, "u64"), BigInt(cpu + 5));
  });
  const k = kernel();
  assert.equal(k.perCpu("own_thing", 0).u64, 5n);
  assert.equal(k.perCpu("own_thing", 1).u64, 6n);
  assert.equal(k.perCpu("own_thing", 1, "struct thing").$address, second);
  assert.throws(
    () => k.perCpu("own_thing", 2),
    /the guest has no CPU 2: it has 2/,
  );
  assert.throws(
    () => k.object("own_thing"),
    /each CPU has its own own_thing: take one of them, as in perCpu/,
  );
  // A pointer to per-CPU data.
  const shared = k.object("thing", page);
  assert.equal(shared.$perCpu(1).$address, second);
});

Deno.test("types are described", () => {
  const { kernel } = thingGuest();
  const k = kernel();
  const { name, size, members } = k.type("thing");
  assert.deepEqual([name, size], ["struct thing", THING]);
  assert.deepEqual(members.find((one) => one.name === "minus"), {
    name: "minus",
    type: "int",
    offset: AT.bits,
    size: 4,
    bits: { first: AT.bits * 8 + 3, width: 5 },
  });
  assert.deepEqual(k.type("enum thing_state").enumerators, { OFF: 0, ON: 1 });
  assert.equal(k.constant("ON"), 1);
  assert.equal(k.hasType("struct thing"), true);
  assert.equal(k.hasType("struct no"), false);
  assert.throws(() => k.type("struct no"), /types are written as in C/);
  assert.deepEqual([...k.bytes(DIRECT_MAP, 2)], [0, 0]);
});
