/**
 * A kernel that notes what it is asked for: each symbol, struct, member, enum
 * and enumerator, and whether it was found. Other kernels pay nothing for it.
 *
 * @module
 */
import type { CType, TypedVariable } from "../btf/c_type.ts";
import type { Member, StructLayout } from "../btf/struct_layout.ts";
import type { Functions, Prototype, Types } from "../btf/types.ts";
import { LiveSymbols } from "../symbols/live_symbols.ts";
import { SymbolTable } from "../symbols/symbol_table.ts";
import type { SymbolAt, Symbols } from "../symbols/symbols.ts";
import { Kernel } from "./kernel.ts";

/** More names of a kind than xftrace asks for; names beyond are not noted. */
const MOST_NAMES = 1 << 16;

/** What a kernel was asked for, by name; `undefined`: it has none. */
export class AskedNames {
  /** GVAs of symbols; several symbols may have the same name. */
  readonly symbols = new Map<string, readonly bigint[]>();
  readonly structs = new Map<string, StructLayout | undefined>();
  /** By `STRUCT.PATH`. */
  readonly members = new Map<string, Member | undefined>();
  readonly enums = new Map<string, ReadonlyMap<string, number> | undefined>();
  readonly enumerators = new Map<string, number | undefined>();
  /** Variables that BTF describes. */
  readonly variables = new Map<string, TypedVariable | undefined>();
  readonly functions = new Map<string, Prototype | undefined>();
  #left = false;

  /** Whether more was asked for than is noted. */
  get leftOut(): boolean {
    return this.#left;
  }

  /** Notes an answer, and returns it. */
  note<T>(map: Map<string, T>, name: string, found: T): T {
    if (map.size < MOST_NAMES || map.has(name)) map.set(name, found);
    else this.#left = true;
    return found;
  }
}

/**
 * The kernel, which notes in `asked` what it is asked for from now on, and what
 * its modules need to be read.
 *
 * @throws {KernelError} when its modules are not understood.
 */
export function asking(kernel: Kernel, asked: AskedNames): Kernel {
  const { arch, facts, live, origin, space } = kernel;
  const types = new AskedTypes(kernel.types, asked);
  const symbols = new AskedSymbols(kernel.symbols, asked);
  return new Kernel(
    arch,
    space,
    symbols,
    types,
    kernel.symbols instanceof SymbolTable
      ? modulesOf(kernel.symbols, symbols, types, kernel)
      : live,
    facts,
    origin,
  );
}

/** The modules, read anew, so that what is asked for them is noted as well. */
function modulesOf(
  table: SymbolTable,
  symbols: AskedSymbols,
  types: Types,
  { space }: Kernel,
): LiveSymbols {
  const found = new LiveSymbols(
    {
      tryImageAddress: (name) => {
        symbols.tryAddress(name);
        return table.tryImageAddress(name);
      },
      setRegions: (regions) => table.setRegions(regions),
    },
    (gva, into) => space.read(gva, into),
    types,
  );
  found.refresh();
  return found;
}

class AskedSymbols implements Symbols {
  readonly #of: Symbols;
  readonly #asked: AskedNames;

  constructor(of: Symbols, asked: AskedNames) {
    this.#of = of;
    this.#asked = asked;
  }

  get count(): number {
    return this.#of.count;
  }

  #note(name: string): readonly bigint[] {
    const { symbols } = this.#asked;
    return symbols.get(name) ??
      this.#asked.note(symbols, name, this.#of.addresses(name));
  }

  tryAddress(name: string): bigint | undefined {
    this.#note(name);
    return this.#of.tryAddress(name);
  }

  address(name: string): bigint {
    this.#note(name);
    return this.#of.address(name);
  }

  addresses(name: string): bigint[] {
    return [...this.#note(name)];
  }

  lookup(gva: bigint): SymbolAt | undefined {
    return this.#of.lookup(gva);
  }

  name(lo: number, hi: number): string {
    return this.#of.name(lo, hi);
  }

  near(name: string, limit?: number): string[] {
    return this.#of.near(name, limit);
  }

  glob(pattern: string): string[] {
    return this.#of.glob(pattern);
  }
}

/** The members of a struct, which note for which of them they are asked. */
class AskedMembers extends Map<string, Member> {
  #note: ((name: string) => void) | undefined;

  /** Notes from now on. */
  noting(note: (name: string) => void): this {
    this.#note = note;
    return this;
  }

  override get(name: string): Member | undefined {
    this.#note?.(name);
    return super.get(name);
  }

  override has(name: string): boolean {
    this.#note?.(name);
    return super.has(name);
  }
}

class AskedTypes implements Types {
  readonly #of: Types;
  readonly #asked: AskedNames;
  readonly #layouts = new Map<string, StructLayout>();

  constructor(of: Types, asked: AskedNames) {
    this.#of = of;
    this.#asked = asked;
  }

  get count(): number {
    return this.#of.count;
  }

  tryStruct(name: string): StructLayout | undefined {
    const known = this.#layouts.get(name);
    if (known !== undefined) return known;
    const asked = this.#asked;
    const found = asked.note(asked.structs, name, this.#of.tryStruct(name));
    if (found === undefined) return undefined;
    const members = new AskedMembers(found.members).noting((member) =>
      void this.tryMember(name, member)
    );
    const layout = { ...found, members };
    this.#layouts.set(name, layout);
    return layout;
  }

  struct(name: string): StructLayout {
    return this.tryStruct(name) ?? this.#of.struct(name);
  }

  offset(struct: string, path: string): number {
    return this.tryMember(struct, path)?.offset ??
      this.#of.offset(struct, path);
  }

  tryOffset(struct: string, path: string): number | undefined {
    return this.tryMember(struct, path)?.offset;
  }

  tryMember(struct: string, path: string): Member | undefined {
    const asked = this.#asked;
    const name = `${struct}.${path}`;
    const { members } = asked;
    return members.get(name) ??
      asked.note(members, name, this.#of.tryMember(struct, path));
  }

  tryEnumerator(name: string): number | undefined {
    const asked = this.#asked;
    return asked.note(asked.enumerators, name, this.#of.tryEnumerator(name));
  }

  enumerator(name: string): number {
    return this.tryEnumerator(name) ?? this.#of.enumerator(name);
  }

  tryEnum(name: string): ReadonlyMap<string, number> | undefined {
    return this.#asked.note(
      this.#asked.enums,
      name,
      this.#of.tryEnum(name),
    );
  }

  prototype(functionName: string): Prototype | undefined {
    return this.#asked.note(
      this.#asked.functions,
      functionName,
      this.#of.prototype(functionName),
    );
  }

  moduleFunctions(btf: Uint8Array): Functions {
    return this.#of.moduleFunctions(btf);
  }

  typeOf(id: number): CType {
    return this.#of.typeOf(id);
  }

  tryType(name: string): CType | undefined {
    return this.#of.tryType(name);
  }

  nearTypes(name: string): string[] {
    return this.#of.nearTypes(name);
  }

  tryVariable(name: string): TypedVariable | undefined {
    return this.#asked.note(
      this.#asked.variables,
      name,
      this.#of.tryVariable(name),
    );
  }

  variables(): Iterable<TypedVariable> {
    return this.#of.variables();
  }
}
