/**
 * Builds small BTF images, for tests.
 *
 * @module
 */
import { BTF_KIND } from "./format.ts";

/** A member to encode. */
export interface FixtureMember {
  /** Empty for anonymous members. */
  readonly name: string;
  readonly type: number;
  /** Offset in bits from the start of the struct. */
  readonly bits: number;
  /** Width in bits of a bit-field. */
  readonly width?: number;
}

/** Builds a BTF image; each method adds a type and returns its id. */
export class BtfBuilder {
  readonly #words: number[] = [];
  readonly #strings: number[] = [0];
  #count = 0;

  #name(name: string): number {
    if (name === "") return 0;
    const at = this.#strings.length;
    this.#strings.push(...new TextEncoder().encode(name), 0);
    return at;
  }

  #add(
    kind: number,
    name: string,
    sizeOrType: number,
    rest: readonly number[] = [],
    { entries = 0, flag = false } = {},
  ): number {
    const info = (flag ? 0x80000000 : 0) + (kind << 24) + entries;
    this.#words.push(this.#name(name), info, sizeOrType, ...rest);
    return ++this.#count;
  }

  /**
   * A `bits` narrower than the size makes an old-style bit-field type;
   * `encoding` is 1 for signed, 2 for character, 4 for boolean.
   */
  int(name: string, size: number, bits = size * 8, encoding = 0): number {
    return this.#add(BTF_KIND.int, name, size, [bits | (encoding << 24)]);
  }

  /** A type that only refers to another: ptr, const, typedef, typeTag ... */
  ref(kind: keyof typeof BTF_KIND, type: number, name = ""): number {
    return this.#add(BTF_KIND[kind], name, type);
  }

  array(element: number, length: number): number {
    return this.#add(BTF_KIND.array, "", 0, [element, element, length]);
  }

  compound(
    kind: "struct" | "union",
    name: string,
    size: number,
    members: readonly FixtureMember[],
  ): number {
    const flag = members.some(({ width }) => width !== undefined);
    const rest = members.flatMap(({ name, type, bits, width = 0 }) => [
      this.#name(name),
      type,
      flag ? bits | (width << 24) : bits,
    ]);
    const entries = members.length;
    return this.#add(BTF_KIND[kind], name, size, rest, { entries, flag });
  }

  enum(
    name: string,
    values: readonly (readonly [string, number])[],
    flag = false,
  ): number {
    const rest = values.flatMap(([n, v]) => [this.#name(n), v >>> 0]);
    return this.#add(BTF_KIND.enum, name, 4, rest, {
      entries: values.length,
      flag,
    });
  }

  enum64(
    name: string,
    values: readonly (readonly [string, bigint])[],
    flag = false,
  ): number {
    const rest = values.flatMap(([n, v]) => [
      this.#name(n),
      Number(v & 0xffffffffn),
      Number((v >> 32n) & 0xffffffffn),
    ]);
    return this.#add(BTF_KIND.enum64, name, 8, rest, {
      entries: values.length,
      flag,
    });
  }

  /** A function type; a parameter of type 0 means `...`. */
  proto(
    returns: number,
    params: readonly (readonly [string, number])[],
  ): number {
    const rest = params.flatMap(([n, type]) => [this.#name(n), type]);
    return this.#add(BTF_KIND.funcProto, "", returns, rest, {
      entries: params.length,
    });
  }

  /** A global variable. */
  variable(name: string, type: number): number {
    return this.#add(BTF_KIND.var, name, type, [1]);
  }

  /** A section with variables in it. */
  section(name: string, variables: readonly number[]): number {
    const rest = variables.flatMap((id, i) => [id, i * 8, 8]);
    return this.#add(BTF_KIND.datasec, name, 8 * variables.length, rest, {
      entries: variables.length,
    });
  }

  /** The BTF image. */
  build(): Uint8Array<ArrayBuffer> {
    const types = this.#words.length * 4;
    const bytes = new Uint8Array(24 + types + this.#strings.length);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0xeb9f, true);
    view.setUint8(2, 1);
    view.setUint32(4, 24, true);
    view.setUint32(12, types, true);
    view.setUint32(16, types, true);
    view.setUint32(20, this.#strings.length, true);
    this.#words.forEach((w, i) => view.setUint32(24 + 4 * i, w, true));
    bytes.set(this.#strings, 24 + types);
    return bytes;
  }
}
