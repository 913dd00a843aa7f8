/**
 * Where x86-64 kernels lie in virtual memory.
 *
 * Sources: Documentation/arch/x86/x86_64/mm.rst,
 * arch/x86/include/asm/page_64_types.h, pgtable_64_types.h, boot.h.
 *
 * @module
 */
import type { ImageMap, ImageSymbols } from "../image_map.ts";
import { ENDBR, holds, holdsNop5, OPCODE } from "./opcodes.ts";

/** __START_KERNEL_map: the image's mapping begins here. */
export const START_KERNEL_MAP = 0xffffffff80000000n;

/** MODULES_VADDR .. MODULES_END. */
export const MODULES = {
  start: 0xffffffffc0000000n,
  end: 0xffffffffff000000n,
} as const;

/** The end of memory that real mode reaches, in bytes. */
const REAL_MODE_END = 1n << 20n;

/** The value of a kernel variable, if the kernel has it. */
function variable(
  name: string,
  symbols: ImageSymbols,
  u64: (gva: bigint) => bigint,
): bigint | undefined {
  const gva = symbols.tryAddress(name);
  return gva === undefined ? undefined : u64(gva);
}

/** See {@linkcode ImageMap}. */
export const image: ImageMap = {
  range: { start: START_KERNEL_MAP, end: 1n << 64n },
  // CONFIG_PHYSICAL_START of 16 MiB, the default.
  linkText: START_KERNEL_MAP + 0x1000000n,
  // The smallest possible CONFIG_PHYSICAL_ALIGN.
  alignment: 0x200000,
  // KERNEL_IMAGE_SIZE.
  maxSize: 1 << 30,
  physical: (gva, physBase) => Number(gva - START_KERNEL_MAP) + physBase,
  modules: () => MODULES,
  directMap: (symbols, u64) => variable("page_offset_base", symbols, u64),
  pageStructs: (symbols, u64) => variable("vmemmap_base", symbols, u64),
  stackPointer: "thread.sp",
  // arch/x86/include/asm/switch_to.h; ret_from_fork has had two names since 6.5.
  savedFrame: {
    returns: ["inactive_task_frame", "ret_addr"],
    into: ["__schedule", "ret_from_fork", "ret_from_fork_asm"],
  },
  vmalloc(symbols, u64) {
    const start = variable("vmalloc_base", symbols, u64);
    const end = variable("vmemmap_base", symbols, u64);
    return start === undefined || end === undefined || end <= start
      ? undefined
      : { start, end };
  },
  // arch/x86/realmode/init.c: the real-mode code is executable in the direct
  // map.
  bootCode(symbols, u64) {
    const header = symbols.tryAddress("real_mode_header");
    const blob = symbols.tryAddress("real_mode_blob");
    const end = symbols.tryAddress("real_mode_blob_end");
    if (header === undefined || blob === undefined || end === undefined) {
      return undefined;
    }
    const start = u64(header);
    const code = { start, end: start + (end - blob) };
    // It is allocated where code of real mode can run (reserve_real_mode), so a
    // pointer elsewhere is somebody else's.
    const memory = variable("page_offset_base", symbols, u64);
    const low = memory === undefined ||
      (code.start >= memory && code.end <= memory + REAL_MODE_END);
    return low ? code : undefined;
  },
  // ENDBR64, or the 5 bytes of fentry: a NOP or a call.
  startsFunction: (bytes) =>
    holds(bytes, ENDBR.slice(0, 3)) || holdsNop5(bytes) ||
    bytes[0] === OPCODE.call,
};
