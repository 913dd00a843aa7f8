/**
 * A small guest whose types cover all kinds of members, for tests of objects.
 *
 * @module
 */
import { BtfBuilder } from "../btf/btf_fixture.ts";
import { BtfTypes } from "../btf/btf_types.ts";
import { FixtureGuest } from "../core/kernel_fixture.ts";
import { GuestKernel } from "./guest_kernel.ts";

/** Offsets of the members of `struct thing`, in bytes. */
export const AT = {
  s8: 0,
  u16: 2,
  s32: 4,
  u64: 8,
  flag: 16,
  state: 20,
  name: 24,
  uuid: 40,
  next: 56,
  text: 64,
  call: 72,
  link: 80,
  numbers: 96,
  bits: 108,
  wide: 112,
  node: 120,
  rows: 144,
  hnode: 160,
  tail: 176,
} as const;

/** Size of `struct thing` in bytes, without its flexible array. */
export const THING = 176;

/** Types that cover all kinds of members. */
export function thingTypes(): BtfTypes {
  const b = new BtfBuilder();
  const s8 = b.int("signed char", 1, 8, 1);
  const u8 = b.int("unsigned char", 1);
  const u16 = b.int("short unsigned int", 2);
  const int = b.int("int", 4, 32, 1);
  const u32 = b.int("unsigned int", 4);
  const u64 = b.int("long unsigned int", 8);
  const char = b.int("char", 1, 8, 1);
  const bool = b.int("_Bool", 1, 8, 4);
  const state = b.enum("thing_state", [["OFF", 0], ["ON", 1]]);
  // The fixture's ids are consecutive, so a struct may point to itself.
  const list = b.compound("struct", "list_head", 16, [
    { name: "next", type: u64, bits: 0 },
    { name: "prev", type: u64, bits: 64 },
  ]);
  const proto = b.proto(int, [["x", int]]);
  const call = b.ref("ptr", proto);
  const text = b.ref("ptr", char);
  const pair = b.compound("struct", "", 8, [
    { name: "low", type: u32, bits: 0 },
    { name: "high", type: u32, bits: 32 },
  ]);
  const numbers = b.array(int, 3);
  const rows = b.array(b.array(u16, 3), 2);
  const rbNode = b.compound("struct", "rb_node", 24, [
    { name: "__rb_parent_color", type: u64, bits: 0 },
    { name: "rb_right", type: u64, bits: 64 },
    { name: "rb_left", type: u64, bits: 128 },
  ]);
  const hnode = b.compound("struct", "hlist_node", 16, [
    { name: "next", type: u64, bits: 0 },
    { name: "pprev", type: u64, bits: 64 },
  ]);
  const comm = b.array(char, 16);
  const uuid = b.array(u8, 16);
  const flexible = b.array(u32, 0);
  // The pointer has this id; the struct that it points to has the next one.
  const own = rows + 6;
  const next = b.ref("ptr", own + 1);
  if (next !== own) throw new Error(`the pointer is type ${next}, not ${own}`);
  const thing = b.compound("struct", "thing", THING, [
    { name: "s8", type: s8, bits: AT.s8 * 8 },
    { name: "u16", type: u16, bits: AT.u16 * 8 },
    { name: "s32", type: int, bits: AT.s32 * 8 },
    { name: "u64", type: u64, bits: AT.u64 * 8 },
    { name: "flag", type: bool, bits: AT.flag * 8 },
    { name: "state", type: state, bits: AT.state * 8 },
    { name: "name", type: comm, bits: AT.name * 8 },
    { name: "uuid", type: uuid, bits: AT.uuid * 8 },
    { name: "next", type: next, bits: AT.next * 8 },
    { name: "text", type: text, bits: AT.text * 8 },
    { name: "call", type: call, bits: AT.call * 8 },
    { name: "link", type: list, bits: AT.link * 8 },
    { name: "numbers", type: numbers, bits: AT.numbers * 8 },
    { name: "three", type: u32, bits: AT.bits * 8, width: 3 },
    { name: "minus", type: int, bits: AT.bits * 8 + 3, width: 5 },
    { name: "one", type: bool, bits: AT.bits * 8 + 8, width: 1 },
    { name: "some", type: u64, bits: AT.bits * 8 + 9, width: 20 },
    { name: "", type: pair, bits: AT.wide * 8 },
    { name: "node", type: rbNode, bits: AT.node * 8 },
    { name: "rows", type: rows, bits: AT.rows * 8 },
    { name: "hnode", type: hnode, bits: AT.hnode * 8 },
    { name: "tail", type: flexible, bits: AT.tail * 8 },
  ]);
  b.compound("struct", "rb_root", 8, [
    { name: "rb_node", type: u64, bits: 0 },
  ]);
  b.compound("struct", "hlist_head", 8, [
    { name: "first", type: u64, bits: 0 },
  ]);
  xarrayTypes(b, u8, u64);
  mapleTypes(b, u64);
  b.section(".data..percpu", [b.variable("own_thing", thing)]);
  return new BtfTypes(b.build());
}

function xarrayTypes(b: BtfBuilder, u8: number, u64: number): void {
  const xarray = b.compound("struct", "xarray", 16, [
    { name: "xa_head", type: u64, bits: 64 },
  ]);
  b.compound("struct", "xa_node", 16 + 64 * 8, [
    { name: "shift", type: u8, bits: 0 },
    { name: "slots", type: b.array(u64, 64), bits: 128 },
  ]);
  const u32 = b.int("u32", 4);
  b.compound("struct", "idr", 24, [
    { name: "idr_rt", type: xarray, bits: 0 },
    { name: "idr_base", type: u32, bits: 128 },
  ]);
}

function mapleTypes(b: BtfBuilder, u64: number): void {
  b.compound("struct", "maple_tree", 16, [
    { name: "ma_root", type: u64, bits: 64 },
  ]);
  b.compound("struct", "maple_node", 256, []);
  b.compound("struct", "maple_range_64", 256, [
    { name: "parent", type: u64, bits: 0 },
    { name: "pivot", type: b.array(u64, 15), bits: 64 },
    { name: "slot", type: b.array(u64, 16), bits: 128 * 8 },
  ]);
  b.compound("struct", "maple_arange_64", 256, [
    { name: "parent", type: u64, bits: 0 },
    { name: "pivot", type: b.array(u64, 9), bits: 64 },
    { name: "slot", type: b.array(u64, 10), bits: 80 * 8 },
  ]);
  b.enum("maple_type", [
    ["maple_dense", 0],
    ["maple_leaf_64", 1],
    ["maple_range_64", 2],
    ["maple_arange_64", 3],
  ]);
}

/** A guest with one `struct thing`. */
export function thingGuest(): {
  fixture: FixtureGuest;
  gva: bigint;
  kernel: () => GuestKernel;
} {
  const fixture = new FixtureGuest(thingTypes());
  const gva = fixture.create("thing");
  return { fixture, gva, kernel: () => new GuestKernel(fixture.kernel) };
}
