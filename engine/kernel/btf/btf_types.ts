/**
 * Reads a kernel's {@linkcode Types} from its BTF.
 *
 * @module
 */
import { NameIndex } from "../../base/name_index.ts";
import { KernelError } from "../../base/errors.ts";
import { didYouMean, nearNames } from "../../base/near_names.ts";
import type {
  Functions,
  Member,
  Prototype,
  StructLayout,
  Types,
} from "./types.ts";
import type { CType, TypedVariable } from "./c_type.ts";
import { CTypes } from "./c_types.ts";
import { declare } from "./declare.ts";
import { BTF_KIND, kindOf, RawBtf } from "./format.ts";
import { isCompound, layoutOf, resolve, sizeOf } from "./layout.ts";

/** One step of a member path: `name` or `name[index]`. */
const STEP = /^([^.[\]]+)(?:\[(\d+)\])?$/;

/**
 * Layouts, enums and prototypes, looked up lazily in raw BTF: construction
 * takes some milliseconds, and each struct is laid out on first use.
 *
 * Every method may throw {@linkcode KernelError} when the BTF is damaged.
 */
export class BtfTypes implements Types {
  readonly #btf: RawBtf;
  #names?: NameIndex;
  #enumerators?: Enumerators;
  readonly #ctypes: CTypes;
  /** Layouts by type id. */
  readonly #layouts = new Map<number, StructLayout>();
  /** Struct ids by name; unknown names are cached too. */
  readonly #structs = new Map<string, number | undefined>();

  /**
   * @param bytes The kernel's BTF image (`__start_BTF` to `__stop_BTF`, or
   * /sys/kernel/btf/vmlinux). Kept by reference, not copied.
   * @throws {KernelError} when it is truncated, damaged or not BTF.
   */
  constructor(bytes: Uint8Array) {
    this.#btf = new RawBtf(bytes);
    this.#ctypes = new CTypes(this.#btf, {
      find: (name, kinds) => this.#find(name, kinds),
      layout: (type) => this.layout(type),
    });
  }

  get count(): number {
    return this.#btf.count - 1;
  }

  tryStruct(name: string): StructLayout | undefined {
    const id = this.#structId(name);
    return id === undefined ? undefined : this.layout(id);
  }

  struct(name: string): StructLayout {
    const found = this.tryStruct(name);
    if (found !== undefined) return found;
    throw new KernelError(`this kernel's BTF has no struct ${name}`);
  }

  offset(struct: string, path: string): number {
    const found = this.tryMember(struct, path);
    if (found !== undefined) return found.offset;
    this.struct(struct);
    throw new KernelError(
      `this kernel's struct ${struct} has no member ${path}`,
    );
  }

  tryOffset(struct: string, path: string): number | undefined {
    return this.tryMember(struct, path)?.offset;
  }

  /**
   * Like {@linkcode Types.tryMember}; a step may also be an array element
   * (`mem[0].base`).
   */
  tryMember(struct: string, path: string): Member | undefined {
    let layout = this.tryStruct(struct);
    let found: Member | undefined;
    for (const step of path.split(".")) {
      if (layout === undefined) return undefined;
      const [, name, index] = STEP.exec(step) ?? [];
      const plain = name === undefined ? undefined : layout.members.get(name);
      if (plain === undefined) return undefined;
      const here: Member | undefined = index === undefined
        ? plain
        : this.#element(plain, Number(index));
      if (here === undefined) return undefined;
      found = found === undefined ? here : moved(here, found.offset);
      const id = resolve(this.#btf, here.type);
      layout = isCompound(this.#btf, id) ? this.layout(id) : undefined;
    }
    return found;
  }

  tryEnumerator(name: string): number | undefined {
    this.#enumerators ??= new Enumerators(this.#btf);
    return this.#enumerators.find(name);
  }

  enumerator(name: string): number {
    const value = this.tryEnumerator(name);
    if (value !== undefined) return value;
    const near = this.#enumerators?.near(name) ?? [];
    throw new KernelError(
      `this kernel's BTF has no enumerator ${name}${didYouMean(near)}`,
    );
  }

  tryEnum(name: string): ReadonlyMap<string, number> | undefined {
    const btf = this.#btf;
    for (const kinds of [ENUMS, TYPEDEFS]) {
      for (const id of this.#find(name, kinds)) {
        const base = resolve(btf, id);
        if (!ENUMS.has(btf.kind(base))) continue;
        const values = new Map<string, number>();
        for (let i = 0; i < btf.entries(base); i++) {
          const { nameOffset, value } = enumerator(btf, base, i);
          values.set(btf.string(nameOffset), value);
        }
        return values;
      }
    }
    return undefined;
  }

  prototype(functionName: string): Prototype | undefined {
    for (const id of this.#find(functionName, FUNCTIONS)) {
      const found = prototypeOf(this.#btf, id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  moduleFunctions(bytes: Uint8Array): Functions {
    const btf = new RawBtf(bytes, this.#btf);
    const ids = new Map<string, number>();
    for (let id = btf.firstId; id < btf.count; id++) {
      if (btf.kind(id) !== BTF_KIND.func) continue;
      const name = btf.name(id);
      if (!ids.has(name)) ids.set(name, id);
    }
    const types = new CTypes(btf, {
      find: () => [],
      layout: (type) => layoutOf(btf, type),
    });
    return {
      prototype: (name) => {
        const id = ids.get(name);
        return id === undefined ? undefined : prototypeOf(btf, id);
      },
      typeOf: (id) => types.byId(id),
    };
  }

  typeOf(id: number): CType {
    return this.#ctypes.byId(id);
  }

  tryType(name: string): CType | undefined {
    return this.#ctypes.named(name);
  }

  nearTypes(name: string): string[] {
    return nearNames(name, this.#typeNames());
  }

  /** Names of the structs, unions, enums and typedefs. */
  *#typeNames(): Generator<string> {
    const btf = this.#btf;
    for (let id = 1; id < btf.count; id++) {
      if (!NAMED.has(btf.kind(id))) continue;
      const name = btf.name(id);
      if (name !== "") yield name;
    }
  }

  tryVariable(name: string): TypedVariable | undefined {
    return this.#ctypes.variable(name);
  }

  variables(): Iterable<TypedVariable> {
    return this.#ctypes.variables();
  }

  /**
   * The layout of a struct or union by type id (a member's `type`, typedefs
   * and qualifiers resolved).
   *
   * @throws {KernelError} when the type is neither a struct nor a union.
   */
  layout(type: number): StructLayout {
    const id = resolve(this.#btf, type);
    let layout = this.#layouts.get(id);
    if (layout === undefined) {
      if (!isCompound(this.#btf, id)) {
        throw new KernelError(
          `BTF type ${type} (${declare(this.#btf, type)}) has no members`,
        );
      }
      layout = layoutOf(this.#btf, id);
      this.#layouts.set(id, layout);
    }
    return layout;
  }

  /**
   * The type id of `struct NAME`, `union NAME` or a typedef of either, for use
   * with {@linkcode layout}.
   */
  #structId(name: string): number | undefined {
    if (this.#structs.has(name)) return this.#structs.get(name);
    const btf = this.#btf;
    let found: number | undefined;
    for (const kinds of [STRUCTS, UNIONS, TYPEDEFS]) {
      for (const id of this.#find(name, kinds)) {
        const base = resolve(btf, id);
        if (isCompound(btf, base)) found ??= base;
      }
    }
    this.#structs.set(name, found);
    return found;
  }

  #element(array: Member, index: number): Member | undefined {
    const btf = this.#btf;
    const id = resolve(btf, array.type);
    if (btf.kind(id) !== BTF_KIND.array) return undefined;
    const length = btf.word(id, 5);
    // A flexible array has as many elements as there is room for in the object.
    if (length !== 0 && index >= length) return undefined;
    const type = btf.word(id, 3);
    const size = sizeOf(btf, type);
    return {
      name: `${array.name}[${index}]`,
      offset: array.offset + index * size,
      size,
      type,
      typeName: declare(btf, type),
    };
  }

  /** Ids of the types with that name whose kind is one of `kinds`. */
  *#find(name: string, kinds: ReadonlySet<number>): Generator<number> {
    if (name === "") return;
    const btf = this.#btf;
    if (this.#names === undefined) {
      const offsets = new Uint32Array(btf.at.length);
      for (let id = 1; id < btf.count; id++) {
        offsets[id] = btf.words[btf.at[id]];
      }
      this.#names = new NameIndex({ bytes: btf.strings, starts: offsets });
    }
    for (const id of this.#names.all(name)) {
      if (kinds.has(btf.kind(id))) yield id;
    }
  }
}

const STRUCTS: ReadonlySet<number> = new Set([BTF_KIND.struct]);
const UNIONS: ReadonlySet<number> = new Set([BTF_KIND.union]);
const TYPEDEFS: ReadonlySet<number> = new Set([BTF_KIND.typedef]);
const ENUMS: ReadonlySet<number> = new Set([BTF_KIND.enum, BTF_KIND.enum64]);
const NAMED = STRUCTS.union(UNIONS).union(ENUMS).union(TYPEDEFS);
const FUNCTIONS: ReadonlySet<number> = new Set([BTF_KIND.func]);

/** The prototype of a function by its id. */
function prototypeOf(btf: RawBtf, id: number): Prototype | undefined {
  const proto = btf.word(id, 2);
  if (btf.kind(proto) !== BTF_KIND.funcProto) return undefined;
  const parameters = [];
  for (let i = 0; i < btf.entries(proto); i++) {
    const type = btf.word(proto, 4 + 2 * i);
    parameters.push({
      name: btf.string(btf.word(proto, 3 + 2 * i)),
      typeName: type === 0 ? "..." : declare(btf, type),
      type,
    });
  }
  return {
    name: btf.name(id),
    returns: declare(btf, btf.word(proto, 2)),
    parameters,
  };
}

function moved(member: Member, by: number): Member {
  return member.bitOffset === undefined
    ? { ...member, offset: member.offset + by }
    : {
      ...member,
      offset: member.offset + by,
      bitOffset: member.bitOffset + by * 8,
    };
}

/** Enumerator `i` of an enum type. */
function enumerator(
  btf: RawBtf,
  id: number,
  i: number,
): { nameOffset: number; value: number } {
  const signed = btf.flag(id);
  if (btf.kind(id) === BTF_KIND.enum) {
    const value = btf.word(id, 4 + 2 * i);
    return {
      nameOffset: btf.word(id, 3 + 2 * i),
      value: signed ? value | 0 : value,
    };
  }
  const low = btf.word(id, 4 + 3 * i);
  const high = btf.word(id, 5 + 3 * i);
  // Exact up to 2^53; larger values are masks that no layout depends on.
  return {
    nameOffset: btf.word(id, 3 + 3 * i),
    value: (signed ? high | 0 : high) * 0x100000000 + low,
  };
}

/** Enumerators of all enums, by name. */
class Enumerators {
  readonly #btf: RawBtf;
  /** For each enumerator: the type id of its enum, and its index in it. */
  readonly #owners: number[] = [];
  readonly #numbers: number[] = [];
  readonly #names: NameIndex;

  constructor(btf: RawBtf) {
    this.#btf = btf;
    const offsets: number[] = [];
    for (let id = 1; id < btf.count; id++) {
      const info = btf.words[btf.at[id] + 1];
      if (!ENUMS.has(kindOf(info))) continue;
      for (let i = 0; i < (info & 0xffff); i++) {
        this.#owners.push(id);
        this.#numbers.push(i);
        offsets.push(enumerator(btf, id, i).nameOffset);
      }
    }
    this.#names = new NameIndex({
      bytes: btf.strings,
      starts: Uint32Array.from(offsets),
    });
  }

  /** Names similar to a mistyped one, the best first. */
  near(name: string): string[] {
    const btf = this.#btf;
    return nearNames(
      name,
      this.#owners.map((owner, i) =>
        btf.string(enumerator(btf, owner, this.#numbers[i]).nameOffset)
      ),
    );
  }

  /** Value of the first enumerator with that name. */
  find(name: string): number | undefined {
    const item = this.#names.find(name);
    if (item < 0) return undefined;
    const owner = this.#owners[item];
    return enumerator(this.#btf, owner, this.#numbers[item]).value;
  }
}
