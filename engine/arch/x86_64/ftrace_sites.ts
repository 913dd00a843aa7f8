/**
 * The calls of Ftrace on x86-64: -mfentry puts one at the start of a function,
 * or after its ENDBR64 (arch/x86/kernel/ftrace.c).
 *
 * @module
 */
import type { CopiedCode, FtraceSites } from "../ftrace_sites.ts";
import {
  endbrLength,
  holds,
  holdsNop5,
  K8_NOP5,
  NOP5,
  OPCODE,
} from "./opcodes.ts";

/** See {@linkcode FtraceSites}. */
export const ftraceSites: FtraceSites = {
  lookAt: 12,
  find(text) {
    const offset = endbrLength(text);
    const calls = text[offset] === OPCODE.call;
    // A site that is being patched starts with a breakpoint.
    const traceable = calls || holdsNop5(text, offset) ||
      text[offset] === OPCODE.int3;
    return traceable ? { offset, calls } : undefined;
  },
  // FTRACE_MCOUNT_MAX_OFFSET (arch/x86/include/asm/ftrace.h).
  offsets: [0, 4],
  size: NOP5.length,
  nops: [Uint8Array.from(NOP5), Uint8Array.from(K8_NOP5)],
  trampolines: [
    trampoline("ftrace_caller", "ftrace_call", []),
    // The jump to what would be called directly is taken out.
    trampoline("ftrace_regs_caller", "ftrace_regs_call", [
      ["ftrace_regs_caller_jmp", 2],
    ]),
  ],
  detour: {
    start: "optprobe_template_entry",
    end: "optprobe_template_end",
    call: "optprobe_template_call",
    callBytes: 5,
    object: "optprobe_template_val",
    objectBytes: 10,
    // A CLAC where the processor has SMAP.
    free: [["optprobe_template_clac", 3]],
    // mov $imm64, %rdi
    objectOf: (bytes) =>
      holds(bytes, [0x48, 0xbf])
        ? { value: viewOf(bytes).getBigUint64(2, true) }
        : undefined,
  },
};

/** create_trampoline (arch/x86/kernel/ftrace.c). */
function trampoline(
  start: string,
  call: string,
  free: CopiedCode["free"],
): CopiedCode {
  return {
    start,
    end: `${start}_end`,
    call,
    callBytes: 5,
    object: `${start}_op_ptr`,
    objectBytes: 7,
    free,
    // mov distance(%rip), %rdx: to the pointer behind the code.
    objectOf: (bytes, gva) =>
      holds(bytes, [0x48, 0x8b, 0x15])
        ? { at: gva + 7n + BigInt(viewOf(bytes).getInt32(3, true)) }
        : undefined,
  };
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
