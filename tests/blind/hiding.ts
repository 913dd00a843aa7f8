/**
 * A kernel that lacks one name: a symbol, a struct, a member or an enumerator,
 * as if an intruder had changed a letter of it in kallsyms or in BTF.
 *
 * @module
 */
import { KernelError } from "../../engine/base/errors.ts";
import { BtfTypes } from "../../engine/kernel/btf/btf_types.ts";
import { Kernel } from "../../engine/kernel/core/kernel.ts";
import { LiveSymbols } from "../../engine/kernel/symbols/live_symbols.ts";
import { SymbolTable } from "../../engine/kernel/symbols/symbol_table.ts";
import type { Types } from "../../engine/kernel/btf/types.ts";
import { AddressSpace } from "../../engine/memory/address_space.ts";

/** Names that were asked for, and the one that is hidden. */
export class Names {
  /** `symbol NAME`, `struct NAME`, `member STRUCT.PATH`, `enumerator NAME`. */
  readonly asked = new Set<string>();
  hidden: string | undefined;

  /** Whether a name is to be missing; it counts as asked for. */
  hides(kind: string, name: string): boolean {
    const key = `${kind} ${name}`;
    this.asked.add(key);
    return key === this.hidden;
  }
}

/** The kernel without what `names` hides; reads all anew. */
export function hiding(kernel: Kernel, names: Names): Kernel {
  const { arch, facts, origin, space: { tables }, types } = kernel;
  if (!(kernel.symbols instanceof SymbolTable)) {
    throw new TypeError("not a table");
  }
  if (!(types instanceof BtfTypes)) throw new TypeError("no BTF");
  const symbols = hidingSymbols(kernel.symbols, names);
  const fewer = hidingTypes(types, names);
  const space = new AddressSpace(tables.ofProcess(tables.root));
  const live = new LiveSymbols(
    symbols,
    (gva, into) => space.read(gva, into),
    fewer,
  );
  live.refresh();
  return new Kernel(arch, space, symbols, fewer, live, facts, origin);
}

/** An object whose methods are partly replaced; private state stays its own. */
function replaced<T extends object>(of: T, by: Partial<T>): T {
  return new Proxy(of, {
    get(target, key) {
      const own: unknown = Reflect.get(by, key);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function hidingSymbols(table: SymbolTable, names: Names): SymbolTable {
  const is = (name: string) => names.hides("symbol", name);
  return replaced(table, {
    tryImageAddress: (name) =>
      is(name) ? undefined : table.tryImageAddress(name),
    tryAddress: (name) => is(name) ? undefined : table.tryAddress(name),
    address: (name) => {
      if (!is(name)) return table.address(name);
      throw new KernelError(`the kernel has no symbol ${name}`);
    },
    addresses: (name) => is(name) ? [] : table.addresses(name),
    glob: (pattern) =>
      table.glob(pattern).filter((name) => `symbol ${name}` !== names.hidden),
    lookup: (gva) => {
      const found = table.lookup(gva);
      return found !== undefined && `symbol ${found.name}` === names.hidden
        ? { ...found, name: `_${found.name.slice(1)}` }
        : found;
    },
  });
}

function hidingTypes(types: BtfTypes, names: Names): BtfTypes {
  const of = (struct: string, path: string) =>
    names.hides("struct", struct) ||
    names.hides("member", `${struct}.${path}`);
  const missing = (what: string): never => {
    throw new KernelError(`this kernel has no ${what}`);
  };
  const by: Partial<Types> = {
    tryStruct: (name) =>
      names.hides("struct", name) ? undefined : types.tryStruct(name),
    struct: (name) =>
      names.hides("struct", name) ? missing(name) : types.struct(name),
    offset: (struct, path) =>
      of(struct, path)
        ? missing(`${struct}.${path}`)
        : types.offset(struct, path),
    tryOffset: (struct, path) =>
      of(struct, path) ? undefined : types.tryOffset(struct, path),
    tryMember: (struct, path) =>
      of(struct, path) ? undefined : types.tryMember(struct, path),
    tryEnumerator: (name) =>
      names.hides("enumerator", name) ? undefined : types.tryEnumerator(name),
    enumerator: (name) =>
      names.hides("enumerator", name) ? missing(name) : types.enumerator(name),
    tryEnum: (name) =>
      names.hides("enum", name) ? undefined : types.tryEnum(name),
  };
  return replaced<BtfTypes>(types, by);
}
