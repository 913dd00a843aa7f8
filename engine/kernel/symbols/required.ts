/**
 * Symbols that must be there because others show that the part of the kernel
 * they belong to is.
 *
 * The names come from the guest. One byte changed there renames a variable, and
 * a list without a name must not count as an empty one.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Types } from "../btf/types.ts";
import type { Symbols } from "./symbols.ts";

/** Those that are the kernel's own, not a module's. */
export function inImage(symbols: Symbols, gvas: readonly bigint[]): bigint[] {
  return gvas.filter((gva) => symbols.lookup(gva)?.module === undefined);
}

/**
 * GVAs of symbols of the kernel's own, in the order asked for; `undefined` when
 * the kernel was built without what they belong to, and so has none of them.
 *
 * @param wanted symbols that a kernel has all of, once each, or none
 * @param witnesses others that only a kernel with the first ones has, such as
 * the function that fills a list; some of them may be missing
 * @throws {KernelError} when one is missing although another, or a witness, is
 * there; or when one leads to two places.
 */
export function together(
  symbols: Symbols,
  wanted: readonly string[],
  witnesses: readonly string[],
): bigint[] | undefined {
  const found = wanted.map((name) => [
    ...new Set(inImage(symbols, symbols.addresses(name))),
  ]);
  const double = found.findIndex(({ length }) => length > 1);
  if (double >= 0) {
    throw new KernelError(
      `the kernel's symbols have ${wanted[double]} ${
        found[double].length
      } times: they are damaged, or were changed`,
    );
  }
  const addresses = found.flat();
  if (addresses.length === wanted.length) return addresses;
  const witness = wanted.find((_, i) => found[i].length > 0) ??
    witnesses.find((name) => symbols.tryAddress(name) !== undefined);
  if (witness === undefined) return undefined;
  const missing = wanted.filter((_, i) => found[i].length === 0);
  throw new KernelError(
    `the kernel's symbols have ${witness} but no ${
      missing.join(", ")
    }: they are damaged, or were changed`,
  );
}

/**
 * Whether a struct has a member that kernels have which were built with what it
 * belongs to.
 *
 * @param witnesses symbols that only such a kernel has
 * @throws {KernelError} when the types lack it although a witness is there.
 */
export function hasMember(
  { types, symbols }: { readonly types: Types; readonly symbols: Symbols },
  struct: string,
  path: string,
  witnesses: readonly string[],
): boolean {
  if (types.tryOffset(struct, path) !== undefined) return true;
  const witness = witnesses.find((name) =>
    symbols.tryAddress(name) !== undefined
  );
  if (witness === undefined) return false;
  throw new KernelError(
    `the kernel's symbols have ${witness}, but its types no ${struct}.${path}: they are damaged, or were changed`,
  );
}

/** {@linkcode together} for one symbol. */
export function variable(
  symbols: Symbols,
  name: string,
  witnesses: readonly string[],
): bigint | undefined {
  return together(symbols, [name], witnesses)?.[0];
}

/**
 * The lists by which code outside the kernel's image has names, each with a
 * function that only a kernel with that list has (CONFIG_MODULES,
 * CONFIG_BPF_JIT, CONFIG_DYNAMIC_FTRACE with modules).
 */
const NAME_LISTS: readonly (readonly [list: string, witness: string])[] = [
  ["modules", "find_module_all"],
  ["bpf_kallsyms", "bpf_ksym_add"],
  ["ftrace_mod_maps", "ftrace_mod_get_kallsym"],
];

/** The members by which a list is read. */
const LIST_MEMBERS: Readonly<
  Record<string, readonly (readonly [struct: string, member: string])[]>
> = {
  bpf_kallsyms: [
    ["bpf_ksym", "lnode"],
    ["bpf_ksym", "start"],
    ["bpf_ksym", "end"],
    ["bpf_ksym", "name"],
  ],
  ftrace_mod_maps: [
    ["ftrace_mod_map", "list"],
    ["ftrace_mod_map", "mod"],
    ["ftrace_mod_map", "funcs"],
    ["ftrace_mod_func", "list"],
    ["ftrace_mod_func", "ip"],
    ["ftrace_mod_func", "name"],
    ["ftrace_mod_func", "size"],
  ],
};

/**
 * Whether the names of modules, of BPF programs and of freed init code can be
 * found; without their lists, addresses would be shown instead.
 *
 * @throws {KernelError} when a list, or what is on it, is not where it is known
 * to be.
 */
export function checkNameLists(
  { symbols, types }: { readonly symbols: Symbols; readonly types: Types },
): void {
  for (const [list, witness] of NAME_LISTS) {
    if (variable(symbols, list, [witness]) === undefined) continue;
    for (const [struct, member] of LIST_MEMBERS[list] ?? []) {
      types.offset(struct, member);
    }
  }
}
