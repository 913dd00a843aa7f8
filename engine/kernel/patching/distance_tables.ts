/**
 * Tables of the kernel's that hold distances instead of pointers, and lead to
 * code: where a fault in an instruction continues, and what the kernel exports
 * to modules.
 *
 * Sources: include/asm-generic/extable.h and its like of each architecture,
 * include/linux/export.h (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { variable } from "../symbols/required.ts";

/** The symbols at which the tables start and end, and what they are. */
const TABLES: readonly (readonly [start: string, end: string, what: string])[] =
  [
    ["__start___ex_table", "__stop___ex_table", "exception table"],
    ["__start___ksymtab", "__stop___ksymtab", "exported symbols"],
    ["__start___ksymtab_gpl", "__stop___ksymtab_gpl", "exported symbols (GPL)"],
  ];

/**
 * Linux 7 has all exported symbols in one table, and beside it one that tells
 * which of them are for modules under the GPL (kernel/module/main.c).
 */
const ONE_TABLE = "__start___kflagstab";
const IN_ONE_TABLE = "__start___ksymtab_gpl";

/** A kernel that has one of these symbols has them all. */
const ENDS = TABLES.flatMap(([start, end]) => [start, end]);

/** More bytes than any of these tables has. */
const MOST_BYTES = 16 << 20;

/** One distance in a table. */
export interface Distance {
  /** The table it is in: `exception table`. */
  readonly what: string;
  /** GVA of the distance, from which it counts. */
  readonly address: bigint;
  /** GVA that it leads to. */
  readonly target: bigint;
}

/**
 * The distances in these tables that lead into a region; nothing when the
 * kernel's symbols have none of them.
 *
 * @throws {KernelError} when a table ends where it cannot, or one is missing.
 */
export function distancesInto(
  { space, symbols }: Kernel,
  region: { readonly start: bigint; readonly end: bigint },
): Distance[] {
  const found: Distance[] = [];
  const isOne = symbols.tryAddress(ONE_TABLE) !== undefined;
  for (const [first, last, what] of TABLES) {
    if (isOne && first === IN_ONE_TABLE) continue;
    const [start, end] = [first, last].map((name) =>
      variable(symbols, name, ENDS.filter((other) => other !== name))
    );
    if (start === undefined || end === undefined) continue;
    const size = end - start;
    if (size < 0n || size > MOST_BYTES) {
      throw new KernelError(
        `the ${what} ends where it cannot: the kernel's symbols are damaged, or were changed`,
      );
    }
    const bytes = space.bytes(start, Number(size));
    const view = new DataView(bytes.buffer);
    // From the first byte, to keep to numbers.
    const from = Number(region.start - start);
    const to = Number(region.end - start);
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const target = at + view.getInt32(at, true);
      if (target < from || target >= to) continue;
      const address = start + BigInt(at);
      found.push({ what, address, target: start + BigInt(target) });
    }
  }
  return found;
}
