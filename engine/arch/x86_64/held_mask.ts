/**
 * Tells a mask from an address: `~(2^n - 1)` is the GVA of executable memory if
 * the region of modules begins there, which it does without KASLR
 * (module_load_offset in arch/x86/kernel/module.c and arch/x86/mm/init.c):
 * PUD_MASK, which the kernel's text holds, is MODULES_VADDR.
 *
 * @module
 */
import { decode, type Instruction, signed } from "./decode.ts";
import { ENDBR, holds, OPCODE } from "./opcodes.ts";

/** Whether the low half of a sign-extended number makes it a mask. */
export function isMask(low: number): boolean {
  const size = -low >>> 0;
  return (size & (size - 1)) === 0;
}

/** How many instructions are looked at for a use. */
const MOST = 64;
/** rax, rcx, rdx, rsi, rdi, r8 to r11: what a call does not preserve. */
const LOST_BY_CALL = 0b1111_1100_0111;
/** The register whose place in a ModRM byte means that a SIB byte follows. */
const RSP = 4;

/**
 * Whether a number that an instruction puts into a register, or pushes, is where
 * a branch behind it leads: `jmp *%reg`, `call *%reg`, a call of a thunk that
 * does this, or `push; ret`. Follows the register, and its copies, in a straight
 * line and along jumps.
 *
 * @param at offset of the instruction behind it
 * @param register its number; `undefined` if the number is pushed
 * @param insn is overwritten
 */
export function isBranchedTo(
  bytes: Uint8Array,
  at: number,
  register: number | undefined,
  insn: Instruction,
): boolean {
  const held = new Held(register);
  for (let n = 0; n < MOST && held.isAnywhere; n++) {
    // Code that cannot be read may do anything.
    if (at < 0 || decode(bytes, at, insn) === 0) return true;
    const next = at + insn.length;
    const { opcode, modrm, immediateAt, immediateSize } = insn;
    if (insn.map === 0) {
      const kind = modrm >> 3 & 7;
      if (opcode === OPCODE.ret || opcode === 0xc2) return held.pushed;
      if (opcode === 0xff && (kind === 2 || kind === 4)) {
        if (modrm >= 0xc0 && held.has(rmOf(insn))) return true;
        if (kind === 4) return false;
        held.call();
      } else if (
        opcode === OPCODE.call || opcode === OPCODE.jump ||
        opcode === OPCODE.shortJump
      ) {
        const to = next + signed(bytes, at + immediateAt, immediateSize);
        if (isThunk(bytes, to, held, insn)) return true;
        if (opcode !== OPCODE.call) {
          if (to < 0 || to >= bytes.length) return false;
          at = to;
          continue;
        }
        held.call();
      } else held.step(insn, bytes[next - 1]);
    }
    at = next;
  }
  return false;
}

/** The registers that hold a number, and whether it lies on top of the stack. */
class Held {
  pushed: boolean;
  #registers: number;

  constructor(register: number | undefined) {
    this.pushed = register === undefined;
    this.#registers = register === undefined ? 0 : 1 << register;
  }

  get isAnywhere(): boolean {
    return this.pushed || this.#registers !== 0;
  }

  has(register: number): boolean {
    return (this.#registers >> register & 1) === 1;
  }

  #set(register: number, value: boolean): void {
    const bit = 1 << register;
    this.#registers = value ? this.#registers | bit : this.#registers & ~bit;
  }

  call(): void {
    this.#registers &= ~LOST_BY_CALL;
  }

  /** Any instruction of one byte but a branch; `last` is its last byte. */
  step(insn: Instruction, last: number): void {
    const { opcode, modrm } = insn;
    const direct = modrm >= 0xc0;
    const reg = regOf(insn);
    const rm = rmOf(insn);
    const low = (opcode & 7) | (insn.rex & 1) << 3;
    if (opcode >= 0x50 && opcode <= 0x57) this.pushed = this.has(low);
    else if (opcode >= 0x58 && opcode <= 0x5f) {
      this.#set(low, this.pushed);
      this.pushed = false;
    } else if (opcode === 0x89) {
      if (direct) this.#set(rm, this.has(reg));
      else if (isStackTop(modrm, last)) this.pushed = this.has(reg);
    } else if (opcode === 0x8b) this.#set(reg, direct && this.has(rm));
    else if (opcode === 0x87 && direct) {
      const other = this.has(reg);
      this.#set(reg, this.has(rm));
      this.#set(rm, other);
    } else if (opcode === 0x8d || opcode === 0x63) this.#set(reg, false);
    else if (opcode >= 0xb8 && opcode <= 0xbf) this.#set(low, false);
    else if (opcode === 0xc7 && direct) this.#set(rm, false);
    else if (opcode < 0x38) {
      // Arithmetic (not cmp): what comes out is another number.
      if ((opcode & 7) === 1 && direct) this.#set(rm, false);
      else if ((opcode & 7) === 3) this.#set(reg, false);
    } else if ((opcode === 0x81 || opcode === 0x83) && direct) {
      if ((modrm >> 3 & 7) !== 7) this.#set(rm, false);
    }
  }
}

function regOf({ modrm, rex }: Instruction): number {
  return (modrm >> 3 & 7) | (rex & 4) << 1;
}

function rmOf({ modrm, rex }: Instruction): number {
  return (modrm & 7) | (rex & 1) << 3;
}

/** Whether an operand is `(%rsp)`. */
function isStackTop(modrm: number, last: number): boolean {
  return (modrm & 0xc7) === RSP && last === 0x24;
}

/**
 * Whether a branch to `to` goes on to what a register holds: a thunk is
 * `jmp *%reg`, or `call 1f; int3; 1: mov %reg, (%rsp); ret`
 * (arch/x86/lib/retpoline.S).
 */
function isThunk(
  bytes: Uint8Array,
  to: number,
  held: Held,
  insn: Instruction,
): boolean {
  let at = holds(bytes, ENDBR, to) ? to + ENDBR.length : to;
  for (let n = 0; n < 4; n++) {
    if (at < 0 || decode(bytes, at, insn) === 0 || insn.map !== 0) return false;
    const { opcode, modrm } = insn;
    at += insn.length;
    if (opcode === 0xff && (modrm & 0xf8) === 0xe0) {
      return held.has(rmOf(insn));
    }
    if (opcode === 0x89 && isStackTop(modrm, bytes[at - 1])) {
      return held.has(regOf(insn));
    }
    if (opcode === OPCODE.call) at += signed(bytes, at - 4, 4);
  }
  return false;
}
