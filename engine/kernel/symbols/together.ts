/**
 * Symbols that a kernel has all of, or none. An intruder who renames one (a
 * letter in kallsyms suffices) would have what it names passed over.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Symbols } from "./symbols.ts";

/**
 * The addresses of symbols; `undefined` when the kernel was built without what
 * they belong to, and so has none of them.
 *
 * @param wanted at least one
 * @param evidence others that only a kernel with the first ones has, such as
 * the function that fills a list; some of them may be missing
 * @throws {KernelError} when only some are there.
 */
export function together(
  symbols: Symbols,
  wanted: readonly string[],
  evidence: readonly string[] = [],
): bigint[] | undefined {
  const found = wanted.map((name) => symbols.tryAddress(name));
  const addresses = found.filter((gva) => gva !== undefined);
  if (addresses.length === wanted.length) return addresses;
  const witness = [...wanted, ...evidence].find((name) =>
    symbols.tryAddress(name) !== undefined
  );
  if (witness === undefined) return undefined;
  const missing = wanted.filter((_, i) => found[i] === undefined);
  throw new KernelError(
    `the kernel has ${witness} but no symbol ${
      missing.join(", ")
    }: its symbols were changed, or are another kernel's`,
  );
}
