/**
 * C types as data: how to interpret the bytes of a value. The kernel's types
 * come from BTF; pointers and arrays can be derived from any of them.
 *
 * @module
 */
import type { StructLayout } from "./struct_layout.ts";

interface Named {
  /**
   * The type in C notation, as spelled in the source: `pid_t`, `struct page *`.
   */
  readonly name: string;
  /**
   * Size in bytes; 0 for `void`, functions, flexible arrays and unknown types.
   */
  readonly size: number;
}

/** An integer, a character or a boolean. */
export interface IntType extends Named {
  readonly kind: "int";
  readonly signed: boolean;
  /** Whether it is `char`, whose arrays are text. */
  readonly char: boolean;
  /** Whether it is `_Bool`. */
  readonly bool: boolean;
}

/** An enum. */
export interface EnumType extends Named {
  readonly kind: "enum";
  readonly signed: boolean;
  /** Whether its values have 64 bits (`BTF_KIND_ENUM64`). */
  readonly wide: boolean;
  /** Names by value; of several with the same value, the first. */
  readonly names: ReadonlyMap<bigint, string>;
}

/** A pointer. */
export interface PointerType extends Named {
  readonly kind: "pointer";
  /** The type that it points to. */
  readonly target: CType;
}

/** An array. */
export interface ArrayType extends Named {
  readonly kind: "array";
  readonly element: CType;
  /** Number of elements; 0 for flexible arrays. */
  readonly length: number;
}

/** A struct or a union. */
export interface StructType extends Named {
  readonly kind: "struct";
  readonly union: boolean;
  /** Its tag, without `struct`; empty when it is anonymous. */
  readonly tag: string;
  /** Its members, anonymous ones flattened. */
  readonly layout: StructLayout;
}

/** A floating-point number. */
export interface FloatType extends Named {
  readonly kind: "float";
}

/** `void`, a function, or a struct that is declared but not defined. */
export interface OpaqueType extends Named {
  readonly kind: "void" | "function" | "forward";
}

/** A C type. */
export type CType =
  | IntType
  | EnumType
  | PointerType
  | ArrayType
  | StructType
  | FloatType
  | OpaqueType;

/** Sections whose variables exist once per CPU: `.data..percpu`. */
export const PER_CPU_SECTION: RegExp = /percpu/;

/** A global variable whose type is described. */
export interface TypedVariable {
  readonly name: string;
  readonly type: CType;
  /** Its section: `.data..percpu`. */
  readonly section: string;
}

/** Size of a pointer in bytes; all supported guests have 64 bits. */
export const POINTER_BYTES = 8;

/** Makes the type of a pointer to `target`. */
export function pointerTo(target: CType): PointerType {
  const name = target.name.endsWith("*")
    ? `${target.name}*`
    : `${target.name} *`;
  return { kind: "pointer", name, size: POINTER_BYTES, target };
}

/** Makes an array type; a length of 0 means a flexible array. */
export function arrayOf(element: CType, length: number): ArrayType {
  const at = element.name.indexOf("[");
  const [base, rest] = at < 0
    ? [element.name, ""]
    : [element.name.slice(0, at), element.name.slice(at)];
  return {
    kind: "array",
    name: `${base}[${length === 0 ? "" : length}]${rest}`,
    size: length * element.size,
    element,
    length,
  };
}
