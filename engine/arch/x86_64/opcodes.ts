/**
 * Instructions of x86-64 that kernels put into text.
 *
 * @module
 */

/** Opcodes that the kernel writes, or looks for. */
export const OPCODE = {
  call: 0xe8,
  jump: 0xe9,
  shortJump: 0xeb,
  int3: 0xcc,
  ret: 0xc3,
  lock: 0xf0,
  ds: 0x3e,
} as const;

/** The no-op of 5 bytes that stands where Ftrace or a branch may be. */
export const NOP5 = [0x0f, 0x1f, 0x44, 0x00, 0x00] as const;
/** The one of 2 bytes, for short jumps. */
export const NOP2 = [0x66, 0x90] as const;
/** ENDBR64, and what the kernel overwrites a sealed one with. */
export const ENDBR = [0xf3, 0x0f, 0x1e, 0xfa] as const;
/** See {@linkcode ENDBR}. */
export const SEALED_ENDBR = [0x66, 0x0f, 0x1f, 0x00] as const;

/** Whether bytes hold others, from an offset on. */
export function holds(
  bytes: Uint8Array,
  wanted: readonly number[],
  at = 0,
): boolean {
  for (let i = 0; i < wanted.length; i++) {
    if (bytes[at + i] !== wanted[i]) return false;
  }
  return true;
}

/** Bytes of the ENDBR64, sealed or not, that a function begins with; else 0. */
export function endbrLength(bytes: Uint8Array): number {
  return holds(bytes, ENDBR) || holds(bytes, SEALED_ENDBR) ? 4 : 0;
}
