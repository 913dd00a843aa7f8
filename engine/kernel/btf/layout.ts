/**
 * Sizes of BTF types, and struct layouts with the members of anonymous ones
 * included.
 *
 * @module
 */
import type { KernelError } from "../../base/errors.ts";
import { POINTER_BYTES } from "./c_type.ts";
import { declare } from "./declare.ts";
import { badBtf, BTF_KIND, type RawBtf } from "./format.ts";
import type { Member, StructLayout } from "./struct_layout.ts";

/** A longer chain of references is a loop. */
const MAX_CHAIN = 64;
/** More members than any kernel struct has, including anonymous ones. */
const MAX_MEMBERS = 16384;

/** Skips typedefs, qualifiers and tags. */
export function resolve(btf: RawBtf, id: number): number {
  for (let i = 0; i < MAX_CHAIN; i++) {
    switch (btf.kind(id)) {
      case BTF_KIND.typedef:
      case BTF_KIND.volatile:
      case BTF_KIND.const:
      case BTF_KIND.restrict:
      case BTF_KIND.typeTag:
      case BTF_KIND.var:
      case BTF_KIND.declTag:
        id = btf.word(id, 2);
        break;
      default:
        return id;
    }
  }
  throw badBtf(`type ${id} refers to itself`);
}

/** Size of a type in bytes; 0 for `void`, functions and flexible arrays. */
export function sizeOf(btf: RawBtf, id: number): number {
  let count = 1;
  for (let i = 0; i < MAX_CHAIN; i++) {
    id = resolve(btf, id);
    switch (btf.kind(id)) {
      case BTF_KIND.array:
        count *= btf.word(id, 5);
        id = btf.word(id, 3);
        break;
      case BTF_KIND.ptr:
        return count * POINTER_BYTES;
      case BTF_KIND.void:
      case BTF_KIND.func:
      case BTF_KIND.funcProto:
      case BTF_KIND.fwd:
        return 0;
      default:
        return count * btf.word(id, 2);
    }
  }
  throw badBtf(`array type ${id} contains itself`);
}

/** More bytes than any struct has: 16 MiB. */
const MOST_BYTES = 16 << 20;

/** Whether a (resolved) type has members. */
export function isCompound(btf: RawBtf, id: number): boolean {
  const kind = btf.kind(id);
  return kind === BTF_KIND.struct || kind === BTF_KIND.union;
}

/** The layout of a (resolved) struct or union type, flattened. */
export function layoutOf(btf: RawBtf, id: number): StructLayout {
  const members = new Map<string, Member>();
  let seen = 0;
  const add = (compound: number, baseBits: number, depth: number): void => {
    const flag = btf.flag(compound);
    const count = btf.entries(compound);
    const room = btf.kind(compound) === BTF_KIND.struct
      ? new Room(btf, compound)
      : undefined;
    for (let i = 0; i < count; i++) {
      if (++seen > MAX_MEMBERS || depth > MAX_CHAIN) {
        throw badBtf(`struct ${btf.name(id)} contains itself`);
      }
      const name = btf.string(btf.word(compound, 3 + 3 * i));
      const type = btf.word(compound, 4 + 3 * i);
      const where = btf.word(compound, 5 + 3 * i);
      const bits = baseBits + (flag ? where & 0xffffff : where);
      room?.take(
        name,
        bits - baseBits,
        bitsOf(btf, type, flag ? where >>> 24 : 0),
      );
      if (name === "") {
        const nested = resolve(btf, type);
        if (isCompound(btf, nested)) add(nested, bits, depth + 1);
        continue;
      }
      // The first one is used; in C names cannot clash.
      if (members.has(name)) continue;
      const width = flag ? where >>> 24 : 0;
      members.set(name, member(btf, name, type, bits, width));
    }
  };
  add(id, 0, 0);
  const size = btf.word(id, 2);
  if (size > MOST_BYTES) {
    throw badBtf(`struct ${btf.name(id)} claims to have ${size} bytes`);
  }
  return { name: btf.name(id), size, members };
}

/** The width of a member in bits. */
function bitsOf(btf: RawBtf, type: number, width: number): number {
  if (width !== 0) return width;
  const size = sizeOf(btf, type);
  const base = resolve(btf, type);
  // In the older encoding, the width is that of the integer type.
  return btf.kind(base) === BTF_KIND.int
    ? Math.min(size * 8, btf.word(base, 3) & 0xff)
    : size * 8;
}

/**
 * The room in a struct, of which each member takes its own: what says otherwise
 * is not how the kernel was built.
 */
class Room {
  readonly #btf: RawBtf;
  readonly #struct: number;
  #last = "";
  #end = 0;

  constructor(btf: RawBtf, struct: number) {
    this.#btf = btf;
    this.#struct = struct;
  }

  /** Takes some bits; members come in the order of their places. */
  take(name: string, from: number, bits: number): void {
    if (from < this.#end && bits > 0) {
      throw this.#bad(
        `${this.#named(this.#last)} and ${this.#named(name)} overlap`,
      );
    }
    this.#end = Math.max(this.#end, from + bits);
    this.#last = name;
    if (this.#end <= this.#btf.word(this.#struct, 2) * 8) return;
    throw this.#bad(`${this.#named(name)} reaches beyond its end`);
  }

  #named(name: string): string {
    return name === "" ? "a member without a name" : name;
  }

  #bad(what: string): KernelError {
    return badBtf(`in struct ${this.#btf.name(this.#struct)}, ${what}`);
  }
}

/** A member at a bit position; `width` is that of a bit-field. */
function member(
  btf: RawBtf,
  name: string,
  type: number,
  bits: number,
  width: number,
): Member {
  const size = sizeOf(btf, type);
  const common = { name, size, type, typeName: declare(btf, type) };
  let bitOffset = bits;
  let bitSize = width;
  if (bitSize === 0) {
    // In the older encoding, the width is that of the integer type.
    const base = resolve(btf, type);
    if (btf.kind(base) === BTF_KIND.int) {
      const encoding = btf.word(base, 3);
      if ((encoding & 0xff) < size * 8) {
        bitSize = encoding & 0xff;
        bitOffset += (encoding >>> 16) & 0xff;
      }
    }
  }
  if (bitSize === 0) return { ...common, offset: Math.floor(bits / 8) };
  // The aligned unit of the declared type that holds the bits, if there is one;
  // in packed structs it may have to start at the first byte of the bits.
  const unit = Math.max(1, size) * 8;
  const aligned = Math.floor(bitOffset / unit) * unit;
  const start = bitOffset + bitSize <= aligned + unit
    ? aligned
    : Math.floor(bitOffset / 8) * 8;
  return { ...common, offset: start / 8, bitOffset, bitSize };
}
