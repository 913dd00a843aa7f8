/**
 * The step of a plan that changes the graph roots.
 *
 * @module
 */
import type { SyscallNames } from "../arch/syscall_names.ts";
import type { ControlStep } from "./plan.ts";

/** A function that is to be a root. */
export interface RootFunction {
  /** The name of its symbol, not the short one of a system call. */
  readonly name: string;
  /** GVA of its symbol. */
  readonly gva: bigint;
}

/**
 * Makes the step. Functions are in the order of their symbols, and system calls
 * have their short names, whoever plans.
 *
 * @param before names of the symbols that are roots now; empty: all functions
 */
export function rootsStep(
  syscalls: SyscallNames,
  before: readonly string[],
  functions: readonly RootFunction[],
): Extract<ControlStep, { readonly control: "roots" }> {
  const sorted = functions.toSorted((a, b) =>
    a.name < b.name ? -1 : Number(a.name > b.name)
  );
  return {
    control: "roots",
    before: before.map((name) => syscalls.short(name)),
    functions: sorted.map(({ name }) => syscalls.short(name)),
    addresses: sorted.map(({ gva }) => gva),
  };
}
