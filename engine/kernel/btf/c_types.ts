/**
 * A kernel's C types, by BTF id and by C notation.
 *
 * @module
 */
import {
  arrayOf,
  type CType,
  pointerTo,
  type TypedVariable,
} from "./c_type.ts";
import { declare } from "./declare.ts";
import { badBtf, BTF_KIND, type RawBtf } from "./format.ts";
import { resolve, sizeOf } from "./layout.ts";
import type { StructLayout } from "./struct_layout.ts";

/** BTF_INT_* bits: the encoding of an integer. */
const INT_SIGNED = 1;
const INT_CHAR = 2;
const INT_BOOL = 4;

/** More dimensions and stars than any declaration in the kernel has. */
const MAX_DERIVED = 16;

/** The BTF lookups that {@linkcode CTypes} depends on. */
export interface BtfLookup {
  /** Ids of the types with that name whose kind is one of `kinds`. */
  find(name: string, kinds: ReadonlySet<number>): Iterable<number>;
  /** The layout of a struct or union. */
  layout(type: number): StructLayout;
}

/** Kinds that a plain name may refer to, in order of precedence. */
const PLAIN: readonly ReadonlySet<number>[] = [
  new Set([BTF_KIND.struct]),
  new Set([BTF_KIND.union]),
  new Set([BTF_KIND.typedef]),
  new Set([BTF_KIND.int, BTF_KIND.float]),
  new Set([BTF_KIND.enum, BTF_KIND.enum64]),
];
/** Kinds by the keyword in front of the name. */
const TAGGED: Readonly<Record<string, readonly ReadonlySet<number>[]>> = {
  struct: [new Set([BTF_KIND.struct])],
  union: [new Set([BTF_KIND.union])],
  enum: [new Set([BTF_KIND.enum, BTF_KIND.enum64])],
};
const VARIABLES: ReadonlySet<number> = new Set([BTF_KIND.var]);

/** A kernel's C types. Every method may throw on damaged BTF. */
export class CTypes {
  readonly #btf: RawBtf;
  readonly #lookup: BtfLookup;
  readonly #byId = new Map<number, CType>();
  readonly #byName = new Map<string, CType | undefined>();
  #sections: ReadonlyMap<number, string> | undefined;

  constructor(btf: RawBtf, lookup: BtfLookup) {
    this.#btf = btf;
    this.#lookup = lookup;
  }

  /** The type with a BTF id; 0 is `void`. */
  byId(id: number): CType {
    let found = this.#byId.get(id);
    if (found === undefined) {
      found = this.#make(id);
      this.#byId.set(id, found);
    }
    return found;
  }

  /**
   * The type that C notation names: `task_struct`, `struct list_head`,
   * `unsigned long`, `struct page *`, `char[16]`. A plain name is looked up as
   * a struct, then as a union, a typedef, an integer and an enum.
   */
  named(text: string): CType | undefined {
    if (!this.#byName.has(text)) this.#byName.set(text, this.#parse(text));
    return this.#byName.get(text);
  }

  /**
   * The variable with that name, if BTF describes it; it mostly describes
   * per-CPU ones.
   */
  variable(name: string): TypedVariable | undefined {
    for (const id of this.#lookup.find(name, VARIABLES)) {
      return this.#typed(id);
    }
    return undefined;
  }

  /** All variables that BTF describes and assigns to a section. */
  *variables(): Generator<TypedVariable> {
    for (const id of this.#sectionsOf().keys()) yield this.#typed(id);
  }

  #typed(id: number): TypedVariable {
    return {
      name: this.#btf.name(id),
      type: this.byId(this.#btf.word(id, 2)),
      section: this.#sectionsOf().get(id) ?? "",
    };
  }

  /** Maps variable ids to the names of their sections. */
  #sectionsOf(): ReadonlyMap<number, string> {
    if (this.#sections !== undefined) return this.#sections;
    const btf = this.#btf;
    const sections = new Map<number, string>();
    for (let id = 1; id < btf.count; id++) {
      if (btf.kind(id) !== BTF_KIND.datasec) continue;
      for (let i = 0; i < btf.entries(id); i++) {
        sections.set(btf.word(id, 3 + 3 * i), btf.name(id));
      }
    }
    return this.#sections = sections;
  }

  #make(id: number): CType {
    const btf = this.#btf;
    const base = resolve(btf, id);
    const kind = btf.kind(base);
    const name = declare(btf, id);
    switch (kind) {
      case BTF_KIND.int: {
        const encoding = btf.word(base, 3) >>> 24;
        const own = btf.name(base);
        return {
          kind: "int",
          name,
          size: btf.word(base, 2),
          signed: (encoding & INT_SIGNED) !== 0,
          char: (encoding & INT_CHAR) !== 0 || own === "char",
          bool: (encoding & INT_BOOL) !== 0 || own === "_Bool",
        };
      }
      case BTF_KIND.enum:
      case BTF_KIND.enum64:
        return {
          kind: "enum",
          name,
          size: btf.word(base, 2),
          signed: btf.flag(base),
          wide: kind === BTF_KIND.enum64,
          names: enumerators(btf, base),
        };
      case BTF_KIND.ptr: {
        // Structs point to each other, so the target is resolved on first use.
        const target = () => this.byId(btf.word(base, 2));
        return {
          kind: "pointer",
          name,
          size: sizeOf(btf, base),
          get target() {
            return target();
          },
        };
      }
      case BTF_KIND.array: {
        const element = () => this.byId(btf.word(base, 3));
        return {
          kind: "array",
          name,
          // Throws when the BTF is damaged: an array that contains itself has
          // no size.
          size: sizeOf(btf, base),
          get element() {
            return element();
          },
          length: btf.word(base, 5),
        };
      }
      case BTF_KIND.struct:
      case BTF_KIND.union: {
        const lookup = this.#lookup;
        return {
          kind: "struct",
          name,
          size: btf.word(base, 2),
          union: kind === BTF_KIND.union,
          tag: btf.name(base),
          get layout() {
            return lookup.layout(base);
          },
        };
      }
      case BTF_KIND.float:
        return { kind: "float", name, size: btf.word(base, 2) };
      case BTF_KIND.void:
        return { kind: "void", name, size: 0 };
      case BTF_KIND.func:
      case BTF_KIND.funcProto:
        return { kind: "function", name, size: 0 };
      case BTF_KIND.fwd:
        return { kind: "forward", name, size: 0 };
      default:
        throw badBtf(`type ${id} has kind ${kind}, which is no C type`);
    }
  }

  #parse(text: string): CType | undefined {
    let rest = text.replace(/\b(?:const|volatile)\b/g, " ").trim();
    const lengths: number[] = [];
    for (
      let dimension = /\s*\[\s*(\d*)\s*\]$/.exec(rest);
      dimension !== null && lengths.length < MAX_DERIVED;
      dimension = /\s*\[\s*(\d*)\s*\]$/.exec(rest)
    ) {
      lengths.push(Number(dimension[1]));
      rest = rest.slice(0, dimension.index);
    }
    let stars = 0;
    for (; rest.endsWith("*") && stars < MAX_DERIVED; stars++) {
      rest = rest.slice(0, -1).trimEnd();
    }
    let type = this.#base(rest);
    for (; type !== undefined && stars > 0; stars--) type = pointerTo(type);
    // The last dimension is the innermost.
    for (const length of lengths) {
      if (type !== undefined) type = arrayOf(type, length);
    }
    return type;
  }

  #base(text: string): CType | undefined {
    const words = text.split(/\s+/);
    if (words.length === 1 && words[0] === "void") return this.byId(0);
    const kinds = words.length === 2 ? TAGGED[words[0]] : undefined;
    const [names, wanted] = kinds === undefined
      ? [
        words.length === 1 && !INTEGER.has(words[0]) ? words : spellings(words),
        PLAIN,
      ]
      : [[words[1]], kinds];
    for (const name of names) {
      for (const kind of wanted) {
        for (const id of this.#lookup.find(name, kind)) {
          return this.byId(id);
        }
      }
    }
    return undefined;
  }
}

/** Words that may make up an integer's name. */
const INTEGER = new Set(["signed", "unsigned", "char", "short", "int", "long"]);

/**
 * The spellings of an integer type that compilers write into BTF: gcc, clang.
 */
function spellings(words: readonly string[]): string[] {
  if (!words.every((word) => INTEGER.has(word))) return [];
  const has = (word: string) => words.includes(word);
  const sign = has("unsigned") ? "unsigned" : "";
  if (has("char")) {
    return [
      sign === "" ? (has("signed") ? "signed char" : "char") : `${sign} char`,
    ];
  }
  const longs = words.filter((word) => word === "long").length;
  const size = has("short") ? "short" : ["", "long", "long long"][longs] ?? "";
  if (size === "") return [`${sign} int`.trim()];
  return [
    [size, sign, "int"].filter((word) => word !== "").join(" "),
    [sign, size].filter((word) => word !== "").join(" "),
  ];
}

/** An enum's names by value. */
function enumerators(btf: RawBtf, id: number): ReadonlyMap<bigint, string> {
  const names = new Map<bigint, string>();
  const wide = btf.kind(id) === BTF_KIND.enum64;
  const signed = btf.flag(id);
  for (let i = 0; i < btf.entries(id); i++) {
    const at = 3 + (wide ? 3 : 2) * i;
    const low = BigInt(btf.word(id, at + 1));
    const word = wide ? (BigInt(btf.word(id, at + 2)) << 32n) | low : low;
    const value = signed ? BigInt.asIntN(wide ? 64 : 32, word) : word;
    if (!names.has(value)) names.set(value, btf.string(btf.word(id, at)));
  }
  return names;
}
