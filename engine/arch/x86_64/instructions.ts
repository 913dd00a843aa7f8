/**
 * Implements the instruction interface of the engine for x86-64.
 *
 * @module
 */
import type {
  Branch,
  BranchAt,
  Decoder,
  Instructions,
} from "../instructions.ts";
import { decode, Instruction, signed } from "./decode.ts";
import { holds, holdsNop5, NOP2, OPCODE } from "./opcodes.ts";
import { heldAddresses } from "./held_addresses.ts";
import { waysOut } from "./ways_out.ts";

/** Adapts {@linkcode decode} to the engine's decoder interface. */
class X86Decoder implements Decoder {
  readonly #insn = new Instruction();
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  decode(bytes: Uint8Array, at: number): number {
    this.#bytes = bytes;
    this.#at = at;
    return decode(bytes, at, this.#insn);
  }

  get branch(): Branch {
    const { branch, map, opcode } = this.#insn;
    if (!branch) return undefined;
    return map === 0 && opcode === OPCODE.call ? "call" : "jump";
  }

  get target(): number {
    const { length, immediateAt, immediateSize } = this.#insn;
    return this.#at + length +
      signed(this.#bytes, this.#at + immediateAt, immediateSize);
  }
}

function branchAt(b: Uint8Array, gva: bigint): BranchAt | undefined {
  const to = (length: number, distance: number) =>
    BigInt.asUintN(64, gva + BigInt(length + distance));
  if (b[0] === OPCODE.call || b[0] === OPCODE.jump) {
    const kind = b[0] === OPCODE.call ? "call" : "jump";
    return { kind, target: to(5, signed(b, 1, 4)) };
  }
  if (b[0] === OPCODE.shortJump) {
    return { kind: "jump", target: to(2, signed(b, 1, 1)) };
  }
  if (b[0] === 0x0f && (b[1] & 0xf0) === 0x80) {
    return { kind: "jump", target: to(6, signed(b, 2, 4)) };
  }
  return undefined;
}

/**
 * Recognizes the thunks of its_allocate_thunk: `jmp *reg; int3`, with
 * breakpoints in between.
 */
function isThunkPage(page: Uint8Array): boolean {
  let i = 0;
  let thunks = 0;
  while (i < page.length) {
    if (page[i] === OPCODE.int3) {
      i++;
      continue;
    }
    if (page[i] === 0x41) i++;
    if (page[i] !== 0xff || (page[i + 1] & 0xf8) !== 0xe0) return false;
    thunks++;
    i += 2;
  }
  return thunks > 0;
}

/** The most prefixes that assemblers put before a no-op. */
const MOST_PREFIXES = 10;

/**
 * Breakpoints, zeros and no-ops: those of one byte are what
 * CONFIG_CALL_PADDING and `-fpatchable-function-entry` put before functions, the
 * longer ones (`nopw`, `nopl`) what assemblers align with.
 */
function fillerAt(bytes: Uint8Array): number {
  if (bytes[0] === OPCODE.int3 || bytes[0] === 0) return 1;
  if (holdsNop5(bytes)) return 0;
  let at = 0;
  while (at < MOST_PREFIXES && (bytes[at] === 0x66 || bytes[at] === 0x2e)) at++;
  if (bytes[at] === 0x90) return at + 1;
  if (bytes[at] !== 0x0f || bytes[at + 1] !== 0x1f) return 0;
  const modrm = bytes[at + 2];
  const [mode, base] = [modrm >> 6, modrm & 7];
  const sib = mode !== 3 && base === 4 ? 1 : 0;
  const displacement = mode === 1 ? 1 : mode === 2 ? 4 : 0;
  return at + 3 + sib + displacement;
}

/** See {@linkcode Instructions}. */
export const instructions: Instructions = {
  decoder: () => new X86Decoder(),
  longestBranch: 6,
  branchAt,
  nopAt: (bytes) => holdsNop5(bytes) ? 5 : holds(bytes, NOP2) ? 2 : 0,
  isBreakpoint: (bytes) => bytes[0] === OPCODE.int3,
  fillerAt,
  isTrap: (byte) => byte === OPCODE.int3,
  isThunkPage,
  waysOut,
  heldAddresses,
  unusual: [
    // 32-bit code, followed by data (arch/x86/platform/pvh/head.S).
    [/^pvh_start_xen$/, [
      "none",
      "runs over",
      "amid instruction",
      "amid function",
      "nowhere",
    ]],
    // An instruction whose last byte is the next function's `ret`
    // (arch/x86/lib/retpoline.S).
    [/_untrain_ret$/, ["runs over"]],
  ],
};
