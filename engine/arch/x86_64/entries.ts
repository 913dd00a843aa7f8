/**
 * Entries of x86-64 page tables (Intel SDM vol. 3, 4.5 and 4.6).
 *
 * @module
 */

/** The entry maps something. */
export const PRESENT = 1;
/** The page may be written. */
export const WRITABLE = 2;
/**
 * In an entry of level 2 or 3: the entry maps a page instead of pointing to a
 * table.
 */
export const LARGE = 0x80;
/** Bit 63, within an entry's high word: not executable. */
export const NX = 0x80000000;
/** Bytes of the smallest page, and of a table. */
export const PAGE = 4096;
/** Entries of a table. */
export const ENTRIES = 512;

/**
 * Bits 12..51 of an entry: a GPA. The C-bit and the protection keys lie above.
 */
export function addressOf(low: number, high: number): number {
  return (high & 0xfffff) * 0x1_0000_0000 + ((low & 0xfffff000) >>> 0);
}

/** Bit 47 (or 56) of the address is copied into the bits above it. */
export function canonical(gva: bigint, levels: number): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(levels === 5 ? 57 : 48, gva));
}
