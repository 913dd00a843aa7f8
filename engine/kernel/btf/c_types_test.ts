import assert from "node:assert/strict";
import { BtfBuilder } from "./btf_fixture.ts";
import { BtfTypes } from "./btf_types.ts";
import { arrayOf, pointerTo } from "./c_type.ts";

function types(spelling: "gcc" | "clang" = "gcc"): BtfTypes {
  const b = new BtfBuilder();
  const int = b.int("int", 4, 32, 1);
  const char = b.int("char", 1);
  const ulong = b.int(
    spelling === "gcc" ? "long unsigned int" : "unsigned long",
    8,
  );
  b.int(spelling === "gcc" ? "short unsigned int" : "unsigned short", 2);
  b.int("_Bool", 1, 8, 4);
  const list = b.compound("struct", "list_head", 16, []);
  b.ref("typedef", int, "pid_t");
  // `page` names both a struct and a typedef of something else.
  b.compound("struct", "page", 64, []);
  b.ref("typedef", int, "page");
  b.enum("state", [["DOWN", -1], ["UP", 1], ["ALIAS", 1]], true);
  b.enum64("mask", [["TOP", 1n << 63n]]);
  const percpu = b.variable("per_cpu_list", list);
  const plain = b.variable("plain", ulong);
  b.section(".data..percpu", [percpu]);
  b.section(".data", [plain]);
  b.variable("nowhere", b.array(char, 4));
  return new BtfTypes(b.build());
}

Deno.test("types by C notation", () => {
  const t = types();
  const named = (text: string) => t.tryType(text)?.name;
  assert.equal(named("struct list_head"), "struct list_head");
  assert.equal(named("list_head"), "struct list_head");
  assert.equal(named("page"), "struct page");
  assert.equal(named("pid_t"), "pid_t");
  assert.equal(named("enum state"), "enum state");
  assert.equal(named("union list_head"), undefined);
  assert.equal(named("struct absent"), undefined);
  assert.equal(named("struct list_head *"), "struct list_head *");
  assert.equal(named("struct list_head**"), "struct list_head **");
  assert.equal(named("const char *"), "char *");
  assert.equal(named("void *"), "void *");
  assert.equal(named("char[16]"), "char[16]");
  assert.equal(named("struct page *[4]"), "struct page *[4]");
  assert.equal(named(""), undefined);
  assert.equal(named("unsigned banana"), undefined);
  const rows = t.tryType("int[2][3]");
  assert.equal(rows?.name, "int[2][3]");
  assert.equal(rows?.kind === "array" && rows.length, 2);
  assert.equal(rows?.size, 24);
});

Deno.test("integers, in any spelling of the compiler", () => {
  for (const spelling of ["gcc", "clang"] as const) {
    const t = types(spelling);
    assert.equal(t.tryType("unsigned long")?.size, 8);
    assert.equal(t.tryType("long unsigned int")?.size, 8);
    assert.equal(t.tryType("unsigned short")?.size, 2);
    const int = t.tryType("signed int") ?? t.tryType("int");
    assert.ok(int?.kind === "int" && int.signed && !int.bool && !int.char);
    const bool = t.tryType("_Bool");
    assert.ok(bool?.kind === "int" && bool.bool);
    const char = t.tryType("char");
    assert.ok(char?.kind === "int" && char.char);
  }
});

Deno.test("enums by value", () => {
  const t = types();
  const state = t.tryType("enum state");
  assert.ok(state?.kind === "enum");
  assert.deepEqual([...state.names], [[-1n, "DOWN"], [1n, "UP"]]);
  const mask = t.tryType("enum mask");
  assert.ok(mask?.kind === "enum");
  assert.deepEqual([...mask.names], [[1n << 63n, "TOP"]]);
});

Deno.test("variables with their sections", () => {
  const t = types();
  assert.equal(t.tryVariable("per_cpu_list")?.type.name, "struct list_head");
  assert.equal(t.tryVariable("per_cpu_list")?.section, ".data..percpu");
  assert.equal(t.tryVariable("plain")?.section, ".data");
  assert.equal(t.tryVariable("nowhere")?.section, "");
  assert.equal(t.tryVariable("absent"), undefined);
  assert.deepEqual(
    [...t.variables()].map(({ name }) => name),
    ["per_cpu_list", "plain"],
  );
});

Deno.test("derived types have C's names and sizes", () => {
  const t = types();
  const page = t.typeOf(0);
  assert.equal(pointerTo(page).name, "void *");
  const pointer = pointerTo(pointerTo(page));
  assert.equal(pointer.name, "void **");
  assert.equal(arrayOf(pointer, 3).name, "void **[3]");
  assert.equal(arrayOf(pointer, 3).size, 24);
  assert.equal(arrayOf(arrayOf(page, 3), 2).name, "void[2][3]");
  assert.equal(arrayOf(page, 0).name, "void[]");
});
