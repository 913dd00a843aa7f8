/**
 * What objects of a guest's kernel look like to TypeScript.
 *
 * A member has the value that its C type means: an integer of up to 32 bits
 * is a number, a wider one a bigint, `_Bool` a boolean, `char[]` a string, an
 * enum its enumerator's name, NULL `null`. A struct is an object, a pointer
 * to a struct is the struct that it points to. Functions of the objects
 * themselves begin with `$`, which no member's name does.
 *
 * @module
 */
import type { KernelStructs } from "./structs.ts";

/** What a value of the guest's can be. */
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

/** How a container is walked. */
export interface WalkLimit {
  /** Entries after which the container counts as damaged; default 2^20. */
  readonly limit?: number;
}

/** An entry of an XArray, a radix tree or an IDR. */
export interface IndexedEntry<T> {
  /** Its index; of an IDR, the id. */
  readonly index: number;
  readonly object: T;
}

/** An entry of a maple tree. */
export interface RangeEntry<T> {
  /** First index of the range that the entry stands for. */
  readonly first: bigint;
  /** Last index, which belongs to the range. */
  readonly last: bigint;
  readonly object: T;
}

/** What all that has an address can do. */
export interface Addressed {
  /** GVA: where a struct or an array lies, where a pointer points to. */
  readonly $address: bigint;
  /** Its type in C notation: `struct task_struct`, `int[4]`, `void *`. */
  readonly $type: string;
  /** The symbol that lies at the address: `schedule`, `init_task`. */
  readonly $symbol: string | undefined;
  /**
   * What lies at the same address, as another type.
   *
   * @throws {KernelError} when this kernel has no such type.
   */
  $cast<T extends string>(type: T): ObjectOf<T>;
  /**
   * A copy of bytes from the address on; by default as many as its type has.
   *
   * @throws {MemoryError} when they are not mapped.
   */
  $bytes(length?: number): Uint8Array<ArrayBuffer>;
  /**
   * The text at the address, up to its zero byte, at most `limit` bytes
   * (default 256).
   *
   * @throws {MemoryError} when nothing is mapped there.
   */
  $string(limit?: number): string;
}

/** What every struct or union can do, beside having its members. */
export interface StructObject<Self = AnyStruct> extends Addressed {
  /** Bytes of the struct. */
  readonly $size: number;
  /** Whether this kernel's struct has a member: `mm`, `se.load.weight`. */
  $has(path: string): boolean;
  /**
   * A member's value by its path: `mm.pgd`, `numbers[0].nr`. Pointers on the
   * way are followed; `null` when one of them is NULL.
   *
   * @throws {KernelError} when this kernel's struct has no such member.
   */
  $member(path: string): unknown;
  /**
   * GVA of a member; the path may walk embedded structs and arrays.
   *
   * @throws {KernelError} when this kernel's struct has no such member.
   */
  $addressOf(path: string): bigint;
  /** A member's type in C notation. Throws as {@linkcode $addressOf}. */
  $typeOf(path: string): string;
  /**
   * A member as the integer that it is, whatever it means: of an enum its
   * value, of a pointer the address, of a bit-field its bits.
   *
   * @throws {KernelError} when it is no such member or not of up to 64 bits.
   */
  $integer(path: string): bigint;
  /** The struct `index` places further, where this one lies in an array. */
  $element(index: number): Self;
  /** The instance of one CPU, of what a per-CPU pointer points to. */
  $perCpu(cpu: number): Self;
  /**
   * The struct that this one lies in, as the kernel's `container_of`.
   *
   * @param type the outer struct: `task_struct`
   * @param member its member that this struct is: `tasks`
   */
  $container<T extends string>(type: T, member: string): ObjectOf<T>;
  /**
   * The structs on the list whose `struct list_head` this is. The list is
   * read whole before the first is given.
   *
   * @param type the structs on it: `module`
   * @param link their member that links them: `list`
   * @throws {KernelError} when the list is damaged or too long.
   */
  $list<T extends string>(
    type: T,
    link: string,
    options?: WalkLimit,
  ): Generator<ObjectOf<T>>;
  /** The same of a hash chain: `struct hlist_head`, `hlist_nulls_head`. */
  $hlist<T extends string>(
    type: T,
    link: string,
    options?: WalkLimit,
  ): Generator<ObjectOf<T>>;
  /**
   * The structs in the red-black tree whose root this is (`struct rb_root` or
   * `rb_root_cached`), in the tree's order. Otherwise as {@linkcode $list}.
   */
  $rbtree<T extends string>(
    type: T,
    link: string,
    options?: WalkLimit,
  ): Generator<ObjectOf<T>>;
  /**
   * What the pointers in this `struct xarray`, radix tree or `struct idr`
   * point to, with their indices. Otherwise as {@linkcode $list}.
   *
   * @param type what they point to: `page`, `void`
   */
  $xarray<T extends string>(
    type: T,
    options?: WalkLimit,
  ): Generator<IndexedEntry<ObjectOf<T>>>;
  /** The same of a `struct maple_tree`, with ranges of indices. */
  $maple<T extends string>(
    type: T,
    options?: WalkLimit,
  ): Generator<RangeEntry<ObjectOf<T>>>;
}

/** An array in the guest's memory; elements are read when they are asked for. */
export interface KernelArray<T> extends Iterable<T>, Addressed {
  /** Elements; 0 for arrays whose length no type tells. */
  readonly length: number;
  /** An element. @throws {KernelError} beyond the array's length. */
  readonly [index: number]: T;
  /** An element, also beyond the length that the type tells. */
  $element(index: number): T;
}

/** A pointer to what is no struct: a function, a number, another pointer. */
export interface KernelPointer<T = unknown> extends Addressed {
  /** What it points to. @throws {MemoryError} when that is not mapped. */
  readonly $target: T;
  /** The element `index` of the array that it points to. */
  $element(index: number): T;
  /** The pointer to one CPU's instance, where this is a per-CPU pointer. */
  $perCpu(cpu: number): KernelPointer<T>;
}

/** A struct that TypeScript knows no more of: all its members are `unknown`. */
export type AnyStruct = StructObject & { readonly [member: string]: unknown };

/**
 * What a member is, by the kind that {@linkcode KernelStructs} gives it:
 * `number`, `text`, `struct mm_struct *`, `bigint[]`, or members of its own.
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

/** The values of kinds that are one word. */
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

/** A struct's members, by their kinds. */
export type MembersOf<M> = { readonly [N in keyof M]: ValueOf<M[N]> };

/**
 * Structs of one guest, as `xftrace types --struct NAME` declares them; they
 * go before those of {@linkcode KernelStructs}.
 */
export interface GuestStructs {
  /** No struct: there is nothing before declarations are added. */
  readonly "": "struct";
}

/** A struct by its name, without `struct`: `Struct<"task_struct">`. */
export type Struct<N extends string> = N extends keyof GuestStructs
  ? MembersOf<GuestStructs[N]> & StructObject<Struct<N>>
  : N extends keyof KernelStructs
    ? MembersOf<KernelStructs[N]> & StructObject<Struct<N>>
  : AnyStruct;

/** What C's own types and the kernel's plain typedefs are. */
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

/** What an array of a type is. */
type ArrayOf<E extends string> = E extends "char" ? string
  : E extends "u8" | "unsigned char" ? Uint8Array<ArrayBuffer>
  : KernelArray<ObjectOf<E>>;

/** What {@linkcode GuestKernel.object} gives for a type's name. */
export type ObjectOf<T extends string> = string extends T ? AnyStruct
  : T extends `${infer E}[${string}]` ? ArrayOf<E>
  : T extends `struct ${infer N} *` ? Struct<N> | null
  : T extends `${string}*` ? KernelPointer | null
  : T extends `struct ${infer N}` ? Struct<N>
  : T extends keyof Scalars ? Scalars[T]
  : T extends `enum ${string}` ? string | number
  : Struct<T>;
