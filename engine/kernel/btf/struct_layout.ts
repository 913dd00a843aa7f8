/**
 * Where the members of a struct lie.
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
