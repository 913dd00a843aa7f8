/**
 * The kernel's own description of its types, as the rest of the engine sees
 * it. BTF (read out of guest memory) is what stands behind it.
 *
 * @module
 */

/** One member of a struct or union, anonymous members flattened. */
export interface Member {
  /** The member's name; nested ones are reached by their own layouts. */
  readonly name: string;
  /** Offset from the start of the outermost struct, in bytes. */
  readonly offset: number;
  /** Size in bytes (arrays: of the whole array); 0 for flexible arrays. */
  readonly size: number;
  /** For bit-fields: first bit within the struct, else `undefined`. */
  readonly bitOffset?: number;
  /** For bit-fields: their width in bits. */
  readonly bitSize?: number;
  /** BTF type id of the member. */
  readonly type: number;
  /** The type in C notation: `struct list_head`, `char[16]`, `u64`. */
  readonly typeName: string;
}

/** A struct's or union's layout. */
export interface StructLayout {
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  readonly members: ReadonlyMap<string, Member>;
}

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
}
