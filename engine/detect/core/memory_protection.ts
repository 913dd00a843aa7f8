/**
 * Kernels that were told at boot not to protect their own memory: all of their
 * image can be written and executed, and the text of modules can be written
 * (mark_readonly in init/main.c, module_enable_ro in kernel/module/strict_rwx.c).
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  coveredPart,
  type GvaRange,
  type MappedRange,
} from "../../memory/gva_ranges.ts";

/** A kernel without protection. */
export interface Unprotected {
  /** GVA of the kernel's own word for it, `rodata_enabled`. */
  readonly word: bigint;
  /** The image as it is mapped: all of it is the kernel's. */
  readonly image: GvaRange;
  /** Whether the command line asks for it. */
  readonly asked: boolean;
}

/** The largest COMMAND_LINE_SIZE. */
const COMMAND_LINE = 2048;

/**
 * Whether a kernel leaves its memory unprotected; `undefined` when it protects
 * it. The word alone, which an intruder could change, says nothing: the page
 * tables must show that all text and all constants can be written and executed.
 *
 * @param executable what the page tables let the kernel execute
 */
export function unprotected(
  kernel: Kernel,
  executable: readonly MappedRange[],
): Unprotected | undefined {
  const { arch, space, symbols } = kernel;
  const word = symbols.tryAddress("rodata_enabled");
  const constant = symbols.tryAddress("__end_rodata");
  const end = symbols.tryAddress("_end");
  if (word === undefined || constant === undefined || end === undefined) {
    return undefined;
  }
  if (space.bytes(word, 1)[0] !== 0) return undefined;
  const start = symbols.address("_text");
  // Behind the constants, single pages are protected in any case (the IDT), and
  // init code is gone.
  const writable = executable.filter((range) => range.writable);
  if (coveredPart({ start, end: constant }, writable)?.end !== constant) {
    return undefined;
  }
  // The last large page is mapped as a whole (cleanup_highmap).
  const large = BigInt(arch.image.alignment);
  const image = { start, end: (end + large - 1n) / large * large };
  return { word, image, asked: isAsked(kernel) };
}

/** Whether the command line has `rodata=off` (set_debug_rodata). */
function isAsked({ space, symbols }: Kernel): boolean {
  const at = symbols.tryAddress("saved_command_line");
  if (at === undefined) return false;
  try {
    const line = space.string(space.u64(at), COMMAND_LINE);
    return /(?:^|\s)"?rodata=(?:off|0|n|f)/i.test(line);
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}
