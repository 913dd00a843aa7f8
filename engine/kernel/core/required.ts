/**
 * Variables of the kernel that must be there because other symbols show that
 * the part of the kernel they belong to is.
 *
 * The names come from the guest. One byte changed there renames a variable, and
 * a list without a name must not count as an empty one.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Symbols } from "../symbols/symbols.ts";

/** Those that are the kernel's own, not a module's. */
export function inImage(symbols: Symbols, gvas: readonly bigint[]): bigint[] {
  return gvas.filter((gva) => symbols.lookup(gva)?.module === undefined);
}

/**
 * GVA of a variable that the kernel has once, or not at all.
 *
 * @param witnesses other symbols that kernels have only together with it
 * @returns `undefined` when there is neither it nor any of them
 * @throws {KernelError} when a symbol has it missing or double.
 */
export function variable(
  symbols: Symbols,
  name: string,
  witnesses: readonly string[],
): bigint | undefined {
  const found = inImage(symbols, symbols.addresses(name));
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    throw new KernelError(
      `the kernel's symbols have ${name} ${found.length} times: they are damaged, or were changed`,
    );
  }
  const witness = witnesses.find((one) =>
    symbols.tryAddress(one) !== undefined
  );
  if (witness === undefined) return undefined;
  throw new KernelError(
    `the kernel's symbols have ${witness} but no ${name}: they are damaged, or were changed`,
  );
}
