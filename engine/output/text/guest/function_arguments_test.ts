/** Arguments of functions by their prototypes, as the kernel writes them. */
import assert from "node:assert/strict";
import { BtfBuilder } from "../../../kernel/btf/btf_fixture.ts";
import { BtfTypes } from "../../../kernel/btf/btf_types.ts";
import { functionArguments } from "./function_arguments.ts";

const REGISTERS = [1n, 0xffffffffffffffffn, 2n, 3n, 4n, 5n];

function kernel() {
  const b = new BtfBuilder();
  const int = b.int("int", 4, 32, 1);
  const unsigned = b.int("unsigned int", 4);
  const pointer = b.ref("ptr", 0);
  const small = b.compound("struct", "pair", 16, []);
  const large = b.compound("struct", "large", 64, []);
  const state = b.enum("state", [["ON", 1], ["OFF", -1]], true);
  const wide = b.enum64("wide", [["BIG", 1n]]);
  const hidden = b.ref("typedef", b.ref("const", unsigned), "u_t");
  const make = (name: string, params: (readonly [string, number])[]) =>
    b.ref("func", b.proto(int, params), name);
  make("plain", [["a", int], ["b", int], ["c", unsigned], ["p", pointer]]);
  make("none", []);
  make("enums", [["s", state], ["t", state], ["u", state], ["w", wide]]);
  make("structs", [["a", hidden], ["x", small], ["b", int]]);
  make("too_large", [["x", large], ["b", int]]);
  make("many", Array.from({ length: 9 }, (_, i) => [`a${i}`, unsigned]));
  make("open", [["a", int], ["", 0]]);
  return new BtfTypes(b.build());
}

Deno.test("arguments by their types", () => {
  const write = functionArguments(kernel());
  const of = (name: string) => write(name, REGISTERS);
  assert.equal(of("plain"), "a=1, b=-1, c=0x2, p=0x3");
  assert.equal(of("none"), "");
  assert.equal(of("unknown"), "");
  assert.equal(of("enums"), "s=1 [ON], t=-1 [OFF], u=2, w=(ENUM64)[0x3]");
  assert.equal(
    of("structs"),
    "a=0x1, x=(STRUCT)[0xffffffffffffffff:0x2], b=3",
  );
  assert.equal(
    of("too_large"),
    "x=(STRUCT)[0x1:0xffffffffffffffff:0x2:0x3:0x4:0x5:...]",
  );
  assert.match(of("many"), /^a0=0x1, .*, a5=0x5, \.\.\.$/);
  assert.equal(of("open"), "a=1, =?0xffffffffffffffff");
});

Deno.test("functions of modules, whose types continue the kernel's", () => {
  const base = new BtfBuilder();
  const int = base.int("int", 4, 32, 1);
  const bytes = base.build();
  const own = new BtfTypes(bytes);
  const stringBytes = new DataView(bytes.buffer).getUint32(20, true);
  assert.equal(own.count, 1);
  const module = splitBtf(stringBytes, own.count + 1, int);
  const functions = own.moduleFunctions(module);
  const write = functionArguments(own, () => [functions]);
  assert.equal(write("of_module", REGISTERS), "value=1");
  assert.equal(write("of_kernel", REGISTERS), "");
  assert.throws(() => own.moduleFunctions(module.slice(0, 30)), /truncated/);
});

/** BTF of a module with `int of_module(int value)`. */
function splitBtf(stringBytes: number, firstId: number, int: number) {
  const text = new TextEncoder().encode("of_module\0value\0");
  const words = [
    // FUNC_PROTO with one parameter, then FUNC.
    ...[0, (13 << 24) + 1, int, stringBytes + 10, int],
    ...[stringBytes, 12 << 24, firstId],
  ];
  const bytes = new Uint8Array(24 + 4 * words.length + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xeb9f, true);
  view.setUint8(2, 1);
  view.setUint32(4, 24, true);
  view.setUint32(12, 4 * words.length, true);
  view.setUint32(16, 4 * words.length, true);
  view.setUint32(20, text.length, true);
  words.forEach((word, i) => view.setUint32(24 + 4 * i, word, true));
  bytes.set(text, 24 + 4 * words.length);
  return bytes;
}
