/**
 * Types of a kernel's modules, BPF programs and freed functions, for tests.
 *
 * @module
 */
import { BtfBuilder } from "../btf/btf_fixture.ts";
import { BtfTypes } from "../btf/btf_types.ts";

/** Offsets in `struct module`, in bytes. */
export const MODULE_AT = {
  list: 8,
  name: 24,
  kallsyms: 88,
  core: 96,
  parts: 128,
} as const;

/** Types of a kernel whose modules have `layout` members or a `mem` array. */
export function moduleTypes(kind: "core_layout" | "mem"): BtfTypes {
  const b = new BtfBuilder();
  const u32 = b.int("unsigned int", 4);
  const u64 = b.int("long unsigned int", 8);
  const pointer = b.ref("ptr", 0);
  const char = b.int("char", 1);
  const list = b.compound("struct", "list_head", 16, [
    { name: "next", type: pointer, bits: 0 },
    { name: "prev", type: pointer, bits: 64 },
  ]);
  const kallsyms = b.compound("struct", "mod_kallsyms", 32, [
    { name: "symtab", type: pointer, bits: 0 },
    { name: "num_symtab", type: u32, bits: 64 },
    { name: "strtab", type: pointer, bits: 128 },
    { name: "typetab", type: pointer, bits: 192 },
  ]);
  const state = b.enum("module_state", [
    ["MODULE_STATE_LIVE", 0],
    ["MODULE_STATE_COMING", 1],
    ["MODULE_STATE_GOING", 2],
    ["MODULE_STATE_UNFORMED", 3],
  ]);
  const members = [
    { name: "state", type: state, bits: 0 },
    { name: "list", type: list, bits: MODULE_AT.list * 8 },
    { name: "name", type: b.array(char, 56), bits: MODULE_AT.name * 8 },
    { name: "kallsyms", type: pointer, bits: MODULE_AT.kallsyms * 8 },
    { name: "core_kallsyms", type: kallsyms, bits: MODULE_AT.core * 8 },
  ];
  if (kind === "mem") {
    b.enum("mod_mem_type", [
      ["MOD_TEXT", 0],
      ["MOD_DATA", 1],
      ["MOD_INIT_TEXT", 2],
      ["MOD_INIT_DATA", 3],
      ["MOD_INIT_RODATA", 4],
      ["MOD_MEM_NUM_TYPES", 5],
    ]);
    const memory = b.compound("struct", "module_memory", 16, [
      { name: "base", type: pointer, bits: 0 },
      { name: "size", type: u32, bits: 64 },
    ]);
    members.push({
      name: "mem",
      type: b.array(memory, 5),
      bits: MODULE_AT.parts * 8,
    });
  } else {
    const layout = b.compound("struct", "module_layout", 16, [
      { name: "base", type: pointer, bits: 0 },
      { name: "size", type: u32, bits: 64 },
      { name: "text_size", type: u32, bits: 96 },
    ]);
    members.push(
      { name: "core_layout", type: layout, bits: MODULE_AT.parts * 8 },
      { name: "init_layout", type: layout, bits: MODULE_AT.parts * 8 + 128 },
    );
  }
  b.compound("struct", "module", 256, members);
  b.compound("struct", "bpf_ksym", 64, [
    { name: "start", type: u64, bits: 0 },
    { name: "end", type: u64, bits: 64 },
    { name: "name", type: b.array(char, 32), bits: 128 },
    { name: "lnode", type: list, bits: 384 },
  ]);
  b.compound("struct", "ftrace_mod_map", 48, [
    { name: "list", type: list, bits: 0 },
    { name: "mod", type: pointer, bits: 128 },
    { name: "funcs", type: list, bits: 192 },
  ]);
  b.compound("struct", "ftrace_mod_func", 40, [
    { name: "list", type: list, bits: 0 },
    { name: "name", type: pointer, bits: 128 },
    { name: "ip", type: u64, bits: 192 },
    { name: "size", type: u32, bits: 256 },
  ]);
  return new BtfTypes(b.build());
}
