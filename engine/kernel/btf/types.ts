/**
 * The kernel's own description of its types, as the rest of the engine sees
 * it. BTF (read out of guest memory) is what stands behind it.
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
}

/** A kernel function's prototype. */
export interface Prototype {
  readonly name: string;
  readonly returns: string;
  readonly parameters: readonly Parameter[];
}

/** Layouts, enums and prototypes of one kernel. */
export interface Types {
  /** How many types there are. */
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
   * Offset in bytes of a member path: `offset("trace_array",
   * "array_buffer.buffer")` walks embedded structs (not pointers).
   *
   * @throws {KernelError} naming struct and member when either is missing.
   */
  offset(struct: string, path: string): number;
  /** As {@linkcode offset}, `undefined` when the member is not there. */
  tryOffset(struct: string, path: string): number | undefined;
  /** The member at the end of a path, with offset from the outer struct. */
  tryMember(struct: string, path: string): Member | undefined;
  /** Value of an enumerator, whichever enum defines it. */
  tryEnumerator(name: string): number | undefined;
  /**
   * Value of an enumerator.
   *
   * @throws {KernelError} when no enum has it.
   */
  enumerator(name: string): number;
  /** Enumerators of `enum NAME`, name to value. */
  tryEnum(name: string): ReadonlyMap<string, number> | undefined;
  /** The prototype of a kernel function, if BTF has it. */
  prototype(functionName: string): Prototype | undefined;
  /** The type of a BTF id, such as a member's; 0 is `void`. */
  typeOf(id: number): CType;
  /**
   * The type that C notation names: `task_struct`, `unsigned long`,
   * `struct page *`, `char[16]`; of a plain name, a struct comes first.
   */
  tryType(name: string): CType | undefined;
  /** A global variable's type, where BTF holds it: per-CPU ones, mostly. */
  tryVariable(name: string): TypedVariable | undefined;
  /** All variables that BTF describes. */
  variables(): Iterable<TypedVariable>;
}
