/**
 * Where kernels that dispatch system calls through tables read these: all before
 * 1e3ad78334a6 ("x86/syscall: Don't force use of indirect calls for system
 * calls", 6.9).
 *
 * Sources: arch/x86/entry/common.c.
 *
 * @module
 */
import type { Kernel } from "../../../kernel/core/kernel.ts";
import { decode, Instruction, signed } from "../decode.ts";

/** An instruction that reads an entry of a table, by a number. */
export interface TableUse {
  /** Symbol of the function that holds it. */
  readonly caller: string;
  /** GVA of the instruction. */
  readonly from: bigint;
  readonly bytes: Uint8Array;
  /** GVA of the table. */
  readonly table: bigint;
}

/** More bytes than any of these functions has. */
const MOST_TEXT = 1 << 14;

/**
 * The tables of 8-byte entries that functions read at a number that a register
 * holds: `mov table(,%reg,8),%reg`, or a call with that.
 */
export function tableUses(
  { space, symbols }: Kernel,
  callers: readonly string[],
): TableUse[] {
  const found: TableUse[] = [];
  for (const caller of callers) {
    const gva = symbols.tryAddress(caller);
    const size = gva === undefined ? 0 : symbols.lookup(gva)?.size ?? 0;
    if (gva === undefined || size === 0 || size > MOST_TEXT) continue;
    const text = space.bytes(gva, size);
    const insn = new Instruction();
    for (let at = 0, length = 0; at < size; at += length) {
      length = decode(text, at, insn);
      if (length === 0) break;
      const table = indexed(text, at, insn);
      if (table === undefined) continue;
      const bytes = text.slice(at, at + length);
      found.push({ caller, from: gva + BigInt(at), bytes, table });
    }
  }
  return found;
}

/** The address to which an instruction adds eight times a register. */
function indexed(
  text: Uint8Array,
  at: number,
  { map, modrm, length, immediateAt }: Instruction,
): bigint | undefined {
  if (map !== 0 || modrm < 0 || (modrm & 0xc7) !== 4) return undefined;
  const displacement = at + (immediateAt || length) - 4;
  const sib = text[displacement - 1];
  if ((sib & 0xc7) !== 0xc5) return undefined;
  return BigInt.asUintN(64, BigInt(signed(text, displacement, 4)));
}
