/**
 * The TypeScript types of a guest kernel's objects.
 *
 * A member has the value that its C type defines: an integer of up to 32 bits
 * is a number, a wider one a bigint, `_Bool` a boolean, `char[]` a string, an
 * enum its enumerator's name, NULL `null`. A struct is an object, and a pointer
 * to a struct is the struct that it points to. The objects' own methods begin
 * with `$`, which no C member's name does.
 *
 * @module
 */
import type { KernelStructs } from "./structs.ts";

/** All possible values of guest objects. */
export type KernelValue =
  | number
  | bigint
  | boolean
  | string
  | null
  | Uint8Array
  | AnyStruct
  | KernelArray<unknown>
  | KernelPointer<unknown>;

/** Options for walking a container. */
export interface WalkLimit {
  /**
   * Number of entries above which the container counts as damaged; default
   * 2^20.
   */
  readonly limit?: number;
}

/** An entry of an XArray, a radix tree or an IDR. */
export interface IndexedEntry<T> {
  /** Its index; in an IDR, the id. */
  readonly index: number;
  readonly object: T;
}

/** An entry of a maple tree. */
export interface RangeEntry<T> {
  /** First index of the entry's range. */
  readonly first: bigint;
  /** Last index of the range, inclusive. */
  readonly last: bigint;
  readonly object: T;
}

/** What every object with an address can do. */
export interface Addressed {
  /** GVA: where a struct or array lies, or where a pointer points. */
  readonly $address: bigint;
  /** Its type in C notation: `struct task_struct`, `int[4]`, `void *`. */
  readonly $type: string;
  /** The symbol at the address: `schedule`, `init_task`. */
  readonly $symbol: string | undefined;
  /**
   * The object at the same address, as another type.
   *
   * @throws {KernelError} when this kernel has no such type.
   */
  $cast<T extends string>(type: T): ObjectOf<T>;
  /**
   * A copy of the bytes from the address on; by default, of the size of its
   * type.
   *
   * @throws {MemoryError} when they are not mapped.
   */
  $bytes(length?: number): Uint8Array<ArrayBuffer>;
  /**
   * The NUL-terminated text at the address, at most `limit` bytes (default
   * 256).
   *
   * @throws {MemoryError} when nothing is mapped there.
   */
  $string(limit?: number): string;
}

/** What every struct or union offers besides its members. */
export interface StructObject<Self = AnyStruct> extends Addressed {
  /** Size of the struct in bytes. */
  readonly $size: number;
  /** Whether this kernel's struct has a member: `mm`, `se.load.weight`. */
  $has(path: string): boolean;
  /**
   * A member's value by its path: `mm.pgd`, `numbers[0].nr`. Pointers on the
   * path are followed; `null` when one of them is NULL.
   *
   * @throws {KernelError} when this kernel's struct has no such member.
   */
  $member(path: string): unknown;
  /**
   * GVA of a member; the path may go through embedded structs and arrays.
   *
   * @throws {KernelError} when this kernel's struct has no such member.
   */
  $addressOf(path: string): bigint;
  /** A member's type in C notation. Throws like {@linkcode $addressOf}. */
  $typeOf(path: string): string;
  /**
   * A member as an integer, whatever its meaning: an enum's value, a pointer's
   * address, or a bit-field's bits.
   *
   * @throws {KernelError} when there is no such member, or it is not an integer
   * of up to 64 bits.
   */
  $integer(path: string): bigint;
  /**
   * The struct `index` elements further on, when this one is part of an array.
   */
  $element(index: number): Self;
  /**
   * One CPU's instance of this struct, when it was reached through a per-CPU
   * pointer.
   */
  $perCpu(cpu: number): Self;
  /**
   * The struct that contains this one, like the kernel's `container_of`.
   *
   * @param type the outer struct: `task_struct`
   * @param member the member of the outer struct that is this one: `tasks`
   */
  $container<T extends string>(type: T, member: string): ObjectOf<T>;
  /**
   * The structs on the list whose `struct list_head` this is. The list is read
   * completely before the first one is returned.
   *
   * @param type the type of the structs on the list: `module`
   * @param link their member that links them: `list`
   * @throws {KernelError} when the list is damaged or too long.
   */
  $list<T extends string>(
    type: T,
    link: string,
    options?: WalkLimit,
  ): Generator<ObjectOf<T>>;
  /**
   * Like {@linkcode $list}, for a hash chain: `struct hlist_head`,
   * `hlist_nulls_head`.
   */
  $hlist<T extends string>(
    type: T,
    link: string,
    options?: WalkLimit,
  ): Generator<ObjectOf<T>>;
  /**
   * The structs in the red-black tree whose root this is (`struct rb_root` or
   * `rb_root_cached`), in tree order. Otherwise like {@linkcode $list}.
   */
  $rbtree<T extends string>(
    type: T,
    link: string,
    options?: WalkLimit,
  ): Generator<ObjectOf<T>>;
  /**
   * The objects that the pointers in this `struct xarray`, radix tree or
   * `struct idr` point to, with their indices. Otherwise like
   * {@linkcode $list}.
   *
   * @param type what they point to: `page`, `void`
   */
  $xarray<T extends string>(
    type: T,
    options?: WalkLimit,
  ): Generator<IndexedEntry<ObjectOf<T>>>;
  /**
   * Like {@linkcode $xarray}, for a `struct maple_tree`, with ranges of
   * indices.
   */
  $maple<T extends string>(
    type: T,
    options?: WalkLimit,
  ): Generator<RangeEntry<ObjectOf<T>>>;
}

/** An array in guest memory; each element is read when it is accessed. */
export interface KernelArray<T> extends Iterable<T>, Addressed {
  /** Number of elements; 0 when the type does not state it. */
  readonly length: number;
  /** An element. @throws {KernelError} beyond the array's length. */
  readonly [index: number]: T;
  /** An element, also beyond the length that the type states. */
  $element(index: number): T;
}

/**
 * A pointer to something other than a struct: a function, a number, another
 * pointer.
 */
export interface KernelPointer<T = unknown> extends Addressed {
  /** What it points to. @throws {MemoryError} when that is not mapped. */
  readonly $target: T;
  /** The element `index` of the array that it points to. */
  $element(index: number): T;
  /** A pointer to one CPU's instance, when this is a per-CPU pointer. */
  $perCpu(cpu: number): KernelPointer<T>;
}

/** A struct whose members are not known to TypeScript: all are `unknown`. */
export type AnyStruct = StructObject & { readonly [member: string]: unknown };

/**
 * The type of a member's value, by the kind that {@linkcode KernelStructs}
 * gives it: `number`, `text`, `struct mm_struct *`, `bigint[]`, or nested
 * members.
 */
export type ValueOf<K> = K extends string ? NamedValue<K>
  : K extends { readonly enum: infer Names } ? Names | number
  : MembersOf<K> & StructObject;

type NamedValue<K extends string> = K extends keyof Plain ? Plain[K]
  : K extends `${infer E}[]` ? KernelArray<ValueOf<E>>
  : K extends `${infer T} * *` ? KernelPointer<ValueOf<`${T} *`>> | null
  : K extends `struct ${infer N} *` ? Struct<N> | null
  : K extends `${infer T} *` ? KernelPointer<ValueOf<T>> | null
  : K extends `struct ${infer N}` ? Struct<N>
  : unknown;

/** The value types of kinds that are single words. */
interface Plain {
  number: number;
  bigint: bigint;
  boolean: boolean;
  text: string;
  bytes: Uint8Array<ArrayBuffer>;
  enum: string | number;
  struct: AnyStruct;
  "struct *": AnyStruct | null;
  pointer: KernelPointer | null;
  place: KernelPointer;
}

/** The value types of a struct's members, by their kinds. */
export type MembersOf<M> = { readonly [N in keyof M]: ValueOf<M[N]> };

/**
 * Structs of one guest, as declared by `xftrace types --struct NAME`; they take
 * precedence over those in {@linkcode KernelStructs}.
 */
export interface GuestStructs {
  /**
   * Not a struct: keeps the interface non-empty until declarations are added.
   */
  readonly "": "struct";
}

/** A struct by its name, without `struct`: `Struct<"task_struct">`. */
export type Struct<N extends string> = N extends keyof GuestStructs
  ? MembersOf<GuestStructs[N]> & StructObject<Struct<N>>
  : N extends keyof KernelStructs
    ? MembersOf<KernelStructs[N]> & StructObject<Struct<N>>
  : AnyStruct;

/** The value types of C's built-in types and the kernel's simple typedefs. */
interface Scalars {
  _Bool: boolean;
  bool: boolean;
  char: number;
  "signed char": number;
  "unsigned char": number;
  short: number;
  "unsigned short": number;
  int: number;
  "unsigned int": number;
  long: bigint;
  "unsigned long": bigint;
  "long long": bigint;
  "unsigned long long": bigint;
  u8: number;
  u16: number;
  u32: number;
  u64: bigint;
  s8: number;
  s16: number;
  s32: number;
  s64: bigint;
  size_t: bigint;
  pid_t: number;
  void: KernelPointer;
}

/** The value type of an array. */
type ArrayOf<E extends string> = E extends "char" ? string
  : E extends "u8" | "unsigned char" ? Uint8Array<ArrayBuffer>
  : KernelArray<ObjectOf<E>>;

/** What {@linkcode GuestKernel.object} returns for a type's name. */
export type ObjectOf<T extends string> = string extends T ? AnyStruct
  : T extends `${infer E}[${string}]` ? ArrayOf<E>
  : T extends `struct ${infer N} *` ? Struct<N> | null
  : T extends `${string}*` ? KernelPointer | null
  : T extends `struct ${infer N}` ? Struct<N>
  : T extends keyof Scalars ? Scalars[T]
  : T extends `enum ${string}` ? string | number
  : Struct<T>;
