/**
 * The executable memory that somebody accounts for: the image, modules on the
 * list, generated code.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "./context.ts";

/** All code with an owner. */
export function ownedCode({ kernel, code }: CheckContext): GvaRange[] {
  return ownedRanges(kernel).concat(
    code.modules.flatMap((module) => code.textOf(module)),
    code.reserves,
  );
}

/** The image, and the code that starts secondary processors. */
function ownedRanges(kernel: Kernel): GvaRange[] {
  const { symbols } = kernel;
  const owned: GvaRange[] = [];
  // The image is mapped with large pages, so the padding after its text is
  // executable too.
  const start = symbols.address("_text");
  const end = symbols.tryAddress("__start_rodata") ?? symbols.address("_etext");
  owned.push(wholePages(kernel, { start, end }));
  const boot = bootCode(kernel);
  if (boot !== undefined) owned.push(boot);
  return owned;
}

function wholePages({ pageSize }: Kernel, { start, end }: GvaRange): GvaRange {
  const page = BigInt(pageSize);
  return { start, end: (end + page - 1n) / page * page };
}

/** The code that starts secondary processors, in whole pages. */
export function bootCode(kernel: Kernel): GvaRange | undefined {
  const { arch, space, symbols } = kernel;
  const code = arch.image.bootCode(symbols, (gva) => space.u64(gva));
  return code === undefined ? undefined : wholePages(kernel, code);
}

/** The parts of `range` outside all of `owned`. */
export function subtract(
  range: GvaRange,
  owned: readonly GvaRange[],
): GvaRange[] {
  let left: GvaRange[] = [range];
  for (const { start, end } of owned) {
    left = left.flatMap((part) => {
      if (end <= part.start || start >= part.end) return [part];
      const parts: GvaRange[] = [];
      if (part.start < start) parts.push({ start: part.start, end: start });
      if (end < part.end) parts.push({ start: end, end: part.end });
      return parts;
    });
  }
  return left;
}
