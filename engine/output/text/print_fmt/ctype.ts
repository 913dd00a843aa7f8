/**
 * The C types of print_fmt expressions, as far as values depend on them: width,
 * sign, and the target of a pointer.
 *
 * @module
 */

/** An integer type. */
export interface IntegerType {
  readonly kind: "int";
  /** In bytes. */
  readonly size: 1 | 2 | 4 | 8;
  readonly signed: boolean;
}

/** A pointer into the event's own bytes; its value is an offset. */
export interface RecordPointer {
  readonly kind: "record";
  /** The type to which it points; `undefined` for void and for structs. */
  readonly to: ExpressionType | undefined;
  /** Size in bytes of what it points to (1 for void). */
  readonly stride: number;
  /** Size in bytes of the array for which it stands, if any. */
  readonly length?: number;
}

/** A pointer into kernel memory; its value is a GVA. */
export interface GuestPointer {
  readonly kind: "kernel";
  readonly to: ExpressionType | undefined;
  readonly stride: number;
}

/** A C string whose text is known: a literal, a helper's result. */
export interface TextType {
  readonly kind: "text";
}

/** Any of these types. */
export type ExpressionType =
  | IntegerType
  | RecordPointer
  | GuestPointer
  | TextType;

const int = (size: 1 | 2 | 4 | 8, signed: boolean): IntegerType => ({
  kind: "int",
  size,
  signed,
});

/** `int`. */
export const INT = int(4, true);
/** `unsigned int`. */
export const UINT = int(4, false);
/** `long`, `long long`, `s64`. */
export const LONG = int(8, true);
/** `unsigned long`, `unsigned long long`, `u64`. */
export const ULONG = int(8, false);
/** Text. */
export const TEXT_TYPE: TextType = { kind: "text" };

const WORDS = new Set([
  "unsigned",
  "signed",
  "char",
  "short",
  "int",
  "long",
  "void",
  "_Bool",
  "bool",
]);

/** Words that do not affect the value. */
export const QUALIFIERS: ReadonlySet<string> = new Set([
  "const",
  "volatile",
  "__user",
  "__force",
  "__iomem",
  "__rcu",
  "__bitwise",
]);

const TYPEDEFS: Readonly<Record<string, IntegerType>> = {
  u8: int(1, false),
  u16: int(2, false),
  u32: UINT,
  u64: ULONG,
  s8: int(1, true),
  s16: int(2, true),
  s32: INT,
  s64: LONG,
  size_t: ULONG,
  ssize_t: LONG,
  loff_t: LONG,
  off_t: LONG,
  dev_t: UINT,
  pid_t: INT,
  uid_t: UINT,
  gid_t: UINT,
  ino_t: ULONG,
  umode_t: int(2, false),
  mode_t: UINT,
  gfp_t: UINT,
  fmode_t: UINT,
  sector_t: ULONG,
  blkcnt_t: ULONG,
  pgoff_t: ULONG,
  dma_addr_t: ULONG,
  phys_addr_t: ULONG,
  resource_size_t: ULONG,
  uintptr_t: ULONG,
  intptr_t: LONG,
  time64_t: LONG,
  ktime_t: LONG,
  cputime_t: ULONG,
  tid_t: UINT,
  vm_fault_t: UINT,
  blk_opf_t: UINT,
  blk_status_t: int(1, false),
  isolate_mode_t: UINT,
  netdev_features_t: ULONG,
  gfn_t: ULONG,
  gpa_t: ULONG,
  gva_t: ULONG,
  hpa_t: ULONG,
  pgd_t: ULONG,
  pteval_t: ULONG,
  bool: int(1, false),
};

/** Whether a word can begin the name of a type. */
export function isTypeWord(word: string): boolean {
  return WORDS.has(word) || QUALIFIERS.has(word) || word === "struct" ||
    word === "union" || word === "enum" || typedef(word) !== undefined;
}

/** The integer type of a typedef, if it is known. */
export function typedef(name: string): IntegerType | undefined {
  if (Object.hasOwn(TYPEDEFS, name)) return TYPEDEFS[name];
  // __u32, __le16, uint8_t; others such as xfs_ino_t are left to the caller.
  const fixed = /^(?:__|u?int|uint|__be|__le)([us]?)(8|16|32|64)(_t)?$/
    .exec(name);
  if (fixed === null) return undefined;
  const size = Number(fixed[2]) / 8 as 1 | 2 | 4 | 8;
  const signed = fixed[1] === "s" || /^int\d/.test(name);
  return int(size, signed);
}

/**
 * The type named by a list of words (`unsigned long`, `struct page`), without
 * asterisks; `undefined` for void, structs and unknown typedefs.
 */
export function typeOfWords(words: readonly string[]): IntegerType | undefined {
  const plain = words.filter((word) => !QUALIFIERS.has(word));
  if (plain[0] === "struct" || plain[0] === "union") return undefined;
  // All of the kernel's enums have the width of an int.
  if (plain[0] === "enum") return INT;
  if (plain.length === 1) {
    if (plain[0] === "void") return undefined;
    const known = typedef(plain[0]);
    if (known !== undefined) return known;
  }
  if (!plain.every((word) => WORDS.has(word))) return undefined;
  const signed = !plain.includes("unsigned");
  if (plain.includes("char")) return int(1, signed);
  if (plain.includes("short")) return int(2, signed);
  if (plain.includes("long")) return int(8, signed);
  if (plain.includes("_Bool") || plain.includes("bool")) return int(1, false);
  if (plain.includes("void")) return undefined;
  return int(4, signed);
}

/** The type of an operand in arithmetic (C's integer promotion). */
export function promoted(type: IntegerType): IntegerType {
  return type.size < 4 ? INT : type;
}

/** The common type of two operands (C's usual arithmetic conversions). */
export function common(a: IntegerType, b: IntegerType): IntegerType {
  const left = promoted(a);
  const right = promoted(b);
  if (left.size === right.size) {
    return left.signed && right.signed ? left : int(left.size, false);
  }
  return left.size > right.size ? left : right;
}
