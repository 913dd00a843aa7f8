/**
 * The kernel's types as the rest of the engine sees them; they come from the
 * BTF in guest memory.
 *
 * @module
 */
import type { CType, TypedVariable } from "./c_type.ts";
import type { Member, StructLayout } from "./struct_layout.ts";

export type { Member, StructLayout } from "./struct_layout.ts";

/** A parameter of a kernel function. */
export interface Parameter {
  readonly name: string;
  readonly typeName: string;
  /** Its type, for {@linkcode Types.typeOf}; 0 for `...`. */
  readonly type: number;
}

/** A kernel function's prototype. */
export interface Prototype {
  readonly name: string;
  readonly returns: string;
  readonly parameters: readonly Parameter[];
}

/** Functions, and the types of their parameters. */
export interface Functions {
  /** The prototype of a function; `undefined` if it is not one of these. */
  prototype(functionName: string): Prototype | undefined;
  /** The type with the BTF id of a parameter. */
  typeOf(id: number): CType;
}

/** Layouts, enums and prototypes of a kernel. */
export interface Types {
  /** The number of types. */
  readonly count: number;
  /** The layout of `struct NAME` (or `union NAME`), if the kernel has it. */
  tryStruct(name: string): StructLayout | undefined;
  /**
   * The layout of `struct NAME`.
   *
   * @throws {KernelError} when the kernel has no such struct.
   */
  struct(name: string): StructLayout;
  /**
   * Offset in bytes of a member path:
   * `offset("trace_array", "array_buffer.buffer")` goes through embedded
   * structs (not pointers).
   *
   * @throws {KernelError} naming the struct and member when either is missing.
   */
  offset(struct: string, path: string): number;
  /** Like {@linkcode offset}; `undefined` when there is no such member. */
  tryOffset(struct: string, path: string): number | undefined;
  /** The member at the end of a path, with its offset in the outer struct. */
  tryMember(struct: string, path: string): Member | undefined;
  /** Value of an enumerator, whichever enum defines it. */
  tryEnumerator(name: string): number | undefined;
  /**
   * Value of an enumerator.
   *
   * @throws {KernelError} when no enum defines it.
   */
  enumerator(name: string): number;
  /** Enumerators of `enum NAME`, name to value. */
  tryEnum(name: string): ReadonlyMap<string, number> | undefined;
  /** The prototype of a kernel function, if BTF has it. */
  prototype(functionName: string): Prototype | undefined;
  /**
   * The functions of a module, by the module's own BTF, which continues this
   * one.
   *
   * @throws {KernelError} when it is damaged.
   */
  moduleFunctions(btf: Uint8Array): Functions;
  /** The type with a BTF id, such as a member's; 0 is `void`. */
  typeOf(id: number): CType;
  /**
   * The type that C notation names: `task_struct`, `unsigned long`,
   * `struct page *`, `char[16]`; a plain name means a struct if there is one.
   */
  tryType(name: string): CType | undefined;
  /** Names of types similar to a mistyped one, the best first. */
  nearTypes(name: string): string[];
  /**
   * A global variable, if BTF describes it; it mostly describes per-CPU ones.
   */
  tryVariable(name: string): TypedVariable | undefined;
  /** All variables that BTF describes. */
  variables(): Iterable<TypedVariable>;
}
