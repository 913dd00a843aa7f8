/**
 * The executable memory that somebody accounts for: the image, modules on the
 * list, generated code.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { disjoint, type GvaRange } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "./context.ts";
import { unprotected } from "./memory_protection.ts";
import { isTraps } from "./traps.ts";

/** All code with an owner. */
export function ownedCode({ kernel, code }: CheckContext): GvaRange[] {
  const open = unprotected(kernel, code.pages.executable);
  return ownedRanges(kernel).concat(
    open === undefined ? [] : [open.image],
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

/**
 * The executable memory that nobody accounts for, without the pages that hold
 * only thunks, which no book has, or only traps, which are the kernel's reserve
 * for modules. Each page is looked at: one of thunks does not
 * speak for those behind it.
 *
 * @param owned what somebody accounts for
 */
export function* unowned(
  { kernel, code }: CheckContext,
  owned: readonly GvaRange[],
): Generator<GvaRange> {
  const page = BigInt(kernel.pageSize);
  const all = disjoint(owned, () => 0);
  for (const range of code.pages.executable) {
    kernel.space.budget.node(range.start);
    for (const part of subtract(range, overlapping(all, range))) {
      let { start } = part;
      let from: bigint | undefined;
      while (start < part.end) {
        kernel.space.budget.node(start);
        const next = start - start % page + page;
        const end = next < part.end ? next : part.end;
        const { kind } = code.at(start);
        if (
          kind === "thunk" || kind === "unread" || isTraps(kernel, start)
        ) {
          if (from !== undefined) yield { start: from, end: start };
          from = undefined;
        } else from ??= start;
        start = end;
      }
      if (from !== undefined) yield { start: from, end: part.end };
    }
  }
}

/** Those of ascending ranges without overlaps that touch another one. */
function overlapping(
  all: readonly GvaRange[],
  { start, end }: GvaRange,
): GvaRange[] {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (all[middle].end <= start) low = middle + 1;
    else high = middle;
  }
  const found: GvaRange[] = [];
  for (let i = low; i < all.length && all[i].start < end; i++) {
    found.push(all[i]);
  }
  return found;
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
