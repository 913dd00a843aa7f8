/**
 * Finds references that lead out of a kernel text.
 *
 * @module
 */
import type { WayOut } from "../../arch/instructions.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";
import type { MappedRange } from "../../memory/gva_ranges.ts";

/** {@linkcode Instructions.waysOut} with the kernel's symbols. */
export function waysOut(
  kernel: Kernel,
  { start, bytes }: ImageBytes,
  executable: readonly MappedRange[],
): WayOut[] {
  return kernel.arch.instructions.waysOut({
    start,
    bytes,
    functionStart(at) {
      const symbol = kernel.symbols.lookup(start + BigInt(at));
      // Without a symbol, from the first byte: a module's symbols are words of
      // the guest's.
      return symbol === undefined || symbol.address < start
        ? 0
        : Number(symbol.address - start);
    },
  }, executable);
}
