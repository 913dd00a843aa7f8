/**
 * The calls of Ftrace on x86-64: -mfentry puts one at the start of a function,
 * or after its ENDBR64 (arch/x86/kernel/ftrace.c).
 *
 * @module
 */
import type { FtraceSites } from "../ftrace_sites.ts";
import { endbrLength, holds, NOP5, OPCODE } from "./opcodes.ts";

/** See {@linkcode FtraceSites}. */
export const ftraceSites: FtraceSites = {
  lookAt: 12,
  find(text) {
    const offset = endbrLength(text);
    const calls = text[offset] === OPCODE.call;
    // A site that is being patched starts with a breakpoint.
    const traceable = calls || holds(text, NOP5, offset) ||
      text[offset] === OPCODE.int3;
    return traceable ? { offset, calls } : undefined;
  },
  // FTRACE_MCOUNT_MAX_OFFSET (arch/x86/include/asm/ftrace.h).
  offsets: [0, 4],
  size: NOP5.length,
  nop: Uint8Array.from(NOP5),
};
