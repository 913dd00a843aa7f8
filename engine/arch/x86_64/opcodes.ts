/**
 * x86-64 instructions that the kernel patches into text.
 *
 * @module
 */

/** Opcodes that the kernel writes or checks for. */
export const OPCODE = {
  call: 0xe8,
  jump: 0xe9,
  shortJump: 0xeb,
  int3: 0xcc,
  ret: 0xc3,
  lock: 0xf0,
  ds: 0x3e,
} as const;

/** The 5-byte no-op in the place of a call of Ftrace or of a branch. */
export const NOP5 = [0x0f, 0x1f, 0x44, 0x00, 0x00] as const;
/**
 * What kernels before 5.13 have there on processors for which that is no fast
 * one (k8_nops, arch/x86/kernel/alternative.c; gone since a89dfde3dc3c).
 */
export const K8_NOP5 = [0x66, 0x66, 0x66, 0x66, 0x90] as const;
/** The 2-byte no-op in the place of a short jump. */
export const NOP2 = [0x66, 0x90] as const;
/** ENDBR64. */
export const ENDBR = [0xf3, 0x0f, 0x1e, 0xfa] as const;
/**
 * What kernels overwrite an ENDBR64 with when they seal it (gen_endbr_poison in
 * arch/x86/include/asm/ibt.h): a no-op that they use nowhere else. The second
 * is that of 7.2, `nopl -42(%rax)`.
 */
const SEALED_ENDBR = [
  [0x66, 0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0xd6],
] as const;

/** Whether `bytes` contain the given bytes at an offset. */
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

/** Whether `bytes` contain a 5-byte no-op of the kernel's at an offset. */
export function holdsNop5(bytes: Uint8Array, at = 0): boolean {
  return holds(bytes, NOP5, at) || holds(bytes, K8_NOP5, at);
}

/**
 * Length of the ENDBR64, sealed or not, at the start of a function; 0 without
 * one.
 */
export function endbrLength(bytes: Uint8Array): number {
  return holds(bytes, ENDBR) ||
      SEALED_ENDBR.some((sealed) => holds(bytes, sealed))
    ? ENDBR.length
    : 0;
}
