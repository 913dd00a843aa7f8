/**
 * Where the members of a struct lie.
 *
 * @module
 */

/**
 * A member of a struct or union. Members of anonymous structs appear as if they
 * were direct members.
 */
export interface Member {
  /**
   * The member's name; members of named structs are found in their own layouts.
   */
  readonly name: string;
  /** Offset from the start of the outermost struct, in bytes. */
  readonly offset: number;
  /** Size in bytes (of the whole array for arrays); 0 for flexible arrays. */
  readonly size: number;
  /** For bit-fields: the first bit within the struct; otherwise `undefined`. */
  readonly bitOffset?: number;
  /** For bit-fields: their width in bits. */
  readonly bitSize?: number;
  /** BTF type id of the member. */
  readonly type: number;
  /** Its type in C notation: `struct list_head`, `char[16]`, `u64`. */
  readonly typeName: string;
}

/** The layout of a struct or union. */
export interface StructLayout {
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  readonly members: ReadonlyMap<string, Member>;
}
