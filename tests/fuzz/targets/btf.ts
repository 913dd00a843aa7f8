/**
 * A kernel's types.
 *
 * @module
 */
import { BtfBuilder } from "../../../engine/kernel/btf/btf_fixture.ts";
import { BtfTypes } from "../../../engine/kernel/btf/btf_types.ts";
import type { CType } from "../../../engine/kernel/btf/c_type.ts";
import { allOf } from "../all_of.ts";
import { type Field, mutateFields, numbers, packed } from "../fields.ts";
import type { Target } from "../target.ts";

const HEADER = 24;
/** How many types of a damaged image are asked for. */
const MOST_TYPES = 200;

/** An image with types of all kinds that refer to each other. */
function image(): Uint8Array<ArrayBuffer> {
  const b = new BtfBuilder();
  const u8 = b.int("u8", 1);
  const int = b.int("int", 4, 32, 1);
  const u64 = b.int("u64", 8);
  const char = b.int("char", 1, 8, 2);
  const pointer = b.ref("ptr", 0);
  const chars = b.array(char, 16);
  const grid = b.array(chars, 4);
  const list = b.compound("struct", "list_head", 16, [
    { name: "next", type: pointer, bits: 0 },
    { name: "prev", type: pointer, bits: 64 },
  ]);
  const inner = b.compound("union", "", 8, [
    { name: "whole", type: u64, bits: 0 },
    { name: "part", type: int, bits: 0 },
  ]);
  const task = b.compound("struct", "task_struct", 128, [
    { name: "list", type: list, bits: 0 },
    { name: "", type: inner, bits: 128 },
    { name: "comm", type: chars, bits: 192 },
    { name: "flag", type: int, bits: 320, width: 3 },
    { name: "grid", type: grid, bits: 352 },
    { name: "tail", type: b.array(u8, 0), bits: 1024 },
  ]);
  const typedef = b.ref("typedef", task, "task_t");
  const constant = b.ref("const", typedef);
  b.ref("volatile", constant);
  b.ref("restrict", b.ref("ptr", constant));
  b.ref("typeTag", int, "user");
  b.enum("state", [["RUNNING", 0], ["STOPPED", 4], ["MINUS", -1]], true);
  b.enum64("mask", [["LOW", 1n], ["HIGH", 1n << 40n]]);
  const proto = b.proto(int, [["task", b.ref("ptr", task)], ["", 0]]);
  b.ref("func", proto, "do_it");
  b.ref("fwd", 0, "absent");
  const variable = b.variable("current_task", b.ref("ptr", task));
  b.section(".data..percpu", [variable]);
  return b.build();
}

/** Looks at a type as deep as its pieces go. */
function look(type: CType, depth: number): void {
  if (depth === 0) return;
  switch (type.kind) {
    case "pointer":
      look(type.target, depth - 1);
      break;
    case "array":
      look(type.element, depth - 1);
      break;
    case "struct":
      for (const { name } of type.layout.members.values()) void name;
      break;
  }
}

export const btf: Target = {
  name: "btf",
  open() {
    const bytes = image();
    const fields: Field[] = [
      ...packed(0, [2, 1, 1, 4, 4, 4, 4, 4]),
      ...numbers(HEADER, 4, (bytes.length - HEADER) >> 2),
      ...numbers(HEADER, 1, 40),
    ];
    const pool = Array.from(
      { length: 32 },
      (_, kind) => BigInt(kind) << 24n | 3n,
    );
    return {
      seeds: [[bytes]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random, pool);
      },
      run([bytes]) {
        const types = new BtfTypes(bytes);
        const attempts: (() => unknown)[] = [
          () => types.tryStruct("task_struct"),
          () => types.tryMember("task_struct", "list.next"),
          () => types.tryMember("task_struct", "grid[1][2]"),
          () => types.tryMember("task_t", "tail[70000]"),
          () => types.tryEnumerator("STOPPED"),
          () => types.enumerator("STOPED"),
          () => types.tryEnum("mask"),
          () => types.tryEnum("state"),
          () => types.prototype("do_it"),
          () => types.tryVariable("current_task"),
          () => [...types.variables()],
          () => types.tryType("struct task_struct *[4][5]"),
          () => types.tryType("unsigned long int"),
          () => types.nearTypes("task_struc"),
        ];
        for (let id = 0; id < Math.min(types.count + 2, MOST_TYPES); id++) {
          attempts.push(
            () => look(types.typeOf(id), 20),
            () => types.layout(id),
          );
        }
        allOf(attempts);
      },
    };
  },
};
