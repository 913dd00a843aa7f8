/**
 * C types as data: what a value's bytes mean. BTF stands behind those that
 * the kernel has; pointers and arrays may be made of any of them.
 *
 * @module
 */
import type { StructLayout } from "./struct_layout.ts";

interface Named {
  /** In C notation, as the source spells it: `pid_t`, `struct page *`. */
  readonly name: string;
  /** Bytes; 0 for `void`, functions, flexible arrays and what is not known. */
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
  /** Its enumerators' names by value; of equal ones the first. */
  readonly names: ReadonlyMap<bigint, string>;
}

/** A pointer. */
export interface PointerType extends Named {
  readonly kind: "pointer";
  /** What it points to. */
  readonly target: CType;
}

/** An array. */
export interface ArrayType extends Named {
  readonly kind: "array";
  readonly element: CType;
  /** Elements; 0 for flexible arrays. */
  readonly length: number;
}

/** A struct or a union. */
export interface StructType extends Named {
  readonly kind: "struct";
  readonly union: boolean;
  /** Its own name, without `struct`; empty when it has none. */
  readonly tag: string;
  /** Its members, anonymous ones flattened. */
  readonly layout: StructLayout;
}

/** A floating-point number. */
export interface FloatType extends Named {
  readonly kind: "float";
}

/** `void`, a function, or a struct that is declared and nowhere described. */
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

/** Sections of variables that each CPU has its own of: `.data..percpu`. */
export const PER_CPU_SECTION: RegExp = /percpu/;

/** A global variable that a kernel's types describe. */
export interface TypedVariable {
  readonly name: string;
  readonly type: CType;
  /** Its section: `.data..percpu`. */
  readonly section: string;
}

/** Pointers of 64-bit machines, in bytes. */
export const POINTER_BYTES = 8;

/** The pointer to a type. */
export function pointerTo(target: CType): PointerType {
  const name = target.name.endsWith("*")
    ? `${target.name}*`
    : `${target.name} *`;
  return { kind: "pointer", name, size: POINTER_BYTES, target };
}

/** The array of so many elements of a type; 0: as many as there are. */
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
