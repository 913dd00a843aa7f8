/**
 * Where kernels of x86-64 lie.
 *
 * Sources: Documentation/arch/x86/x86_64/mm.rst,
 * arch/x86/include/asm/page_64_types.h, pgtable_64_types.h, boot.h.
 *
 * @module
 */
import type { ImageMap } from "../image_map.ts";

/** __START_KERNEL_map: the image's mapping begins here. */
export const START_KERNEL_MAP = 0xffffffff80000000n;

/** MODULES_VADDR .. MODULES_END. */
export const MODULES = {
  start: 0xffffffffc0000000n,
  end: 0xffffffffff000000n,
} as const;

/** See {@linkcode ImageMap}. */
export const image: ImageMap = {
  range: { start: START_KERNEL_MAP, end: 1n << 64n },
  // CONFIG_PHYSICAL_START of 16 MiB.
  linkText: START_KERNEL_MAP + 0x1000000n,
  // Smallest CONFIG_PHYSICAL_ALIGN.
  alignment: 0x200000,
  // KERNEL_IMAGE_SIZE.
  maxSize: 1 << 30,
  modules: () => MODULES,
  // ENDBR64, or the 5 bytes of fentry: a NOP or a call.
  startsFunction: (b) =>
    (b[0] === 0xf3 && b[1] === 0x0f && b[2] === 0x1e) ||
    (b[0] === 0x0f && b[1] === 0x1f && b[2] === 0x44) ||
    b[0] === 0xe8,
};
