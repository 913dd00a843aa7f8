/**
 * Where x86-64 kernels patch their text.
 *
 * Sources: arch/x86/kernel/alternative.c, callthunks.c, static_call.c,
 * jump_label.c, ftrace.c, module.c, kprobes/opt.c; asm/runtime-const.h.
 *
 * @module
 */
import type { Patching, PatchTable } from "../patching.ts";
import { signed } from "./decode.ts";
import { instructions } from "./instructions.ts";
import { ENDBR, endbrLength, holds, holdsNop5, OPCODE } from "./opcodes.ts";

/** Length of a call or jump with a 32-bit distance. */
const BRANCH = 5;

/** The R_X86_64_* relocation types that occur in a module's text. */
const RELOCATIONS: Readonly<Record<number, readonly [4 | 8, boolean]>> = {
  // R_X86_64_64, PC32, PLT32, 32, 32S, PC64
  1: [8, false],
  2: [4, true],
  4: [4, true],
  10: [4, false],
  11: [4, false],
  24: [8, true],
};

/**
 * What replaces a static call when there is nothing to call: `xor %eax, %eax`.
 */
const XOR5 = [0x2e, 0x2e, 0x2e, 0x31, 0xc0];

/** `ud1 (%edx),%rdi`: a warning (arch/x86/kernel/static_call.c of Linux 7). */
const WARN = [0x67, 0x48, 0x0f, 0xb9, 0x3a];
/** `movb $0, (%rdi)`: the unlocking of a spinlock, without a hypervisor's. */
const UNLOCK = [0x3e, 0x3e, 0xc6, 0x07, 0x00];

const isBranch = (bytes: Uint8Array) =>
  bytes[0] === OPCODE.call || bytes[0] === OPCODE.jump;

/** See {@linkcode Patching}. */
export const patching: Patching = {
  mechanisms: [
    "none",
    "alternatives",
    "paravirt calls",
    "SMP locks",
    "retpolines",
    "return thunks",
    "sealed ENDBR",
    "static calls",
    "jump labels",
    "Ftrace",
    "BPF dispatchers",
    "kprobes",
    "call depth tracking",
    "runtime constants",
  ],
  tables(layouts) {
    const alternative = layouts.tryStruct("alt_instr")?.size ?? 12;
    const tables: readonly PatchTable[] = [
      {
        section: ".altinstructions",
        entry: alternative,
        place: "relative",
        mechanism: "alternatives",
        length: {
          entryByte: layouts.tryOffset("alt_instr", "instrlen") ??
            alternative - 2,
        },
      },
      {
        section: ".parainstructions",
        entry: 16,
        place: "absolute",
        mechanism: "paravirt calls",
        length: { entryByte: 9 },
      },
      {
        section: ".smp_locks",
        entry: 4,
        place: "relative",
        mechanism: "SMP locks",
        length: 1,
      },
      {
        section: ".retpoline_sites",
        entry: 4,
        place: "relative",
        mechanism: "retpolines",
        length: { instruction: 0 },
      },
      {
        section: ".return_sites",
        entry: 4,
        place: "relative",
        mechanism: "return thunks",
        length: BRANCH,
      },
      {
        section: ".ibt_endbr_seal",
        entry: 4,
        place: "relative",
        mechanism: "sealed ENDBR",
        length: ENDBR.length,
      },
      {
        section: ".static_call_sites",
        between: ["__start_static_call_sites", "__stop_static_call_sites"],
        entry: 8,
        place: "relative",
        mechanism: "static calls",
        length: { instruction: BRANCH },
      },
      {
        section: "__jump_table",
        between: ["__start___jump_table", "__stop___jump_table"],
        entry: 16,
        place: "relative",
        mechanism: "jump labels",
        length: { instruction: 2 },
      },
      {
        section: "__mcount_loc",
        between: ["__start_mcount_loc", "__stop_mcount_loc"],
        entry: 8,
        place: "absolute",
        mechanism: "Ftrace",
        length: BRANCH,
      },
    ];
    return tables;
  },
  named: [
    {
      symbols: "bpf_dispatcher_*_func",
      mechanism: "BPF dispatchers",
      length: 9,
    },
    { symbols: "ftrace_call", mechanism: "Ftrace", length: BRANCH },
    { symbols: "ftrace_regs_call", mechanism: "Ftrace", length: BRANCH },
    { symbols: "ftrace_graph_call", mechanism: "Ftrace", length: BRANCH },
  ],
  bentCalls: {
    mechanism: "call depth tracking",
    table: ".call_sites",
    isBent(trusted, own, at, calls) {
      for (let call = at - 4; call < at; call++) {
        if (!calls.has(call) || own[call] !== trusted[call]) continue;
        const back = signed(trusted, call + 1, 4) - signed(own, call + 1, 4);
        return back > 0 && back <= 32;
      }
      return false;
    },
  },
  isPlausible(mechanism, bytes) {
    switch (mechanism) {
      case "return thunks":
        return bytes[0] === OPCODE.jump ||
          holds(bytes, [OPCODE.ret, 0xcc, 0xcc, 0xcc, 0xcc]);
      case "sealed ENDBR":
        return endbrLength(bytes) > 0;
      case "SMP locks":
        return bytes[0] === OPCODE.lock || bytes[0] === OPCODE.ds;
      case "Ftrace":
        return isBranch(bytes) || holdsNop5(bytes);
      case "jump labels":
        return isBranch(bytes) || bytes[0] === OPCODE.shortJump ||
          instructions.nopAt(bytes) > 0;
      case "kprobes":
        return bytes[0] === OPCODE.int3 || isBranch(bytes);
      default:
        return true;
    }
  },
  runtimeConstant: (symbol) =>
    symbol.startsWith("__start_runtime_shift_") ? 1 : 8,
  jumpLabel: (instruction) =>
    instruction === 1 ? BRANCH : Math.max(2, instruction),
  staticCalls: {
    mechanism: "static calls",
    bytes: BRANCH,
    trampoline: "__SCT__",
    trampolineBytes: 8,
  },
  standIns: [
    { symbol: "__WARN_trap", bytes: WARN },
    {
      symbol: "__raw_callee_save___native_queued_spin_unlock",
      bytes: UNLOCK,
    },
  ],
  isNoCall: (bytes) =>
    instructions.nopAt(bytes) > 0 || holds(bytes, XOR5) ||
    bytes[0] === OPCODE.ret,
  probeBytes: BRANCH,
  isProbeJump: (bytes) => bytes[0] === OPCODE.jump,
  relocation(type) {
    const known = RELOCATIONS[type];
    return known === undefined
      ? undefined
      : { bytes: known[0], relative: known[1] };
  },
};
