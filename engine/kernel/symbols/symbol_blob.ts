/**
 * All symbols of one kernel as flat byte tables: the expanded form of kallsyms
 * or a System.map, and the content of the cache of symbols.
 *
 * Nothing in it depends on where the kernel was loaded (KASLR), and there is
 * no string and no object per symbol: 167,000 symbols are five arrays.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";

/** Names and type letters of symbols, without addresses. */
export interface NameTable {
  /** The number of symbols. */
  readonly count: number;
  /** The type letter of each symbol as printed by `nm`, an ASCII code. */
  readonly types: Uint8Array;
  /** All names one after another, in ASCII and without separators. */
  readonly names: Uint8Array;
  /** `count + 1` indices into `names`: the start and end of each name. */
  readonly starts: Uint32Array;
}

/**
 * Symbols in address order. Several symbols may share one address; these keep
 * the kernel's order (kallsyms_lookup returns the first).
 */
export interface SymbolBlob extends NameTable {
  /**
   * The number of leading symbols that are absolute: their offset is their
   * value (per-CPU offsets on kernels with CONFIG_KALLSYMS_ABSOLUTE_PERCPU).
   */
  readonly absolute: number;
  /**
   * Bytes from `_text` to each symbol modulo 2^32; the value, for absolute
   * symbols.
   */
  readonly offsets: Uint32Array;
}

/**
 * The most bytes of names. Names of a guest may share their bytes, and take more
 * than its table of strings has.
 */
const MOST_NAMES = 64 << 20;

/**
 * Builds a {@linkcode NameTable} from names, given as bytes, and their type
 * letters.
 */
export function nameTable(
  names: readonly Uint8Array[],
  types: Uint8Array,
): NameTable {
  const starts = new Uint32Array(names.length + 1);
  let total = 0;
  for (let i = 0; i < names.length; i++) {
    starts[i] = total;
    total += names[i].length;
  }
  starts[names.length] = total;
  const bytes = allocateBytes(total, MOST_NAMES, "a table of names");
  for (let i = 0; i < names.length; i++) bytes.set(names[i], starts[i]);
  return { count: names.length, types, names: bytes, starts };
}

/** Index of the first symbol with that name, or -1. */
export function findName(blob: NameTable, name: string): number {
  const { names, starts, count } = blob;
  const length = name.length;
  for (let i = 0; i < count; i++) {
    const start = starts[i];
    if (starts[i + 1] - start !== length) continue;
    let k = 0;
    while (k < length && names[start + k] === name.charCodeAt(k)) k++;
    if (k === length) return i;
  }
  return -1;
}

/** The name of symbol `index`, which must be in range. */
export function nameAt(blob: NameTable, index: number): string {
  return String.fromCharCode(
    ...blob.names.subarray(blob.starts[index], blob.starts[index + 1]),
  );
}

/** Index of `_text`, to which offsets are relative; -1 when it is missing. */
export function textIndex(blob: NameTable): number {
  const text = findName(blob, "_text");
  return text < 0 ? findName(blob, "_stext") : text;
}

/**
 * Symbols without which the rest of the engine cannot work: if one is absent,
 * the tables were misread.
 */
const REQUIRED = ["_stext", "_etext", "schedule"];

/**
 * Builds a blob from the low 32 bits of the symbols' addresses, which must
 * ascend. `source` names the origin of the tables, for messages.
 *
 * Returns the blob and the low half of the address of `_text`.
 *
 * @throws {KernelError} when addresses descend or a symbol that every kernel
 * has is missing.
 */
export function buildBlob(
  source: string,
  low: Uint32Array,
  absolute: number,
  types: Uint8Array,
  names: Uint8Array,
  starts: Uint32Array,
): { blob: SymbolBlob; textLow: number } {
  const count = low.length;
  for (let i = 1; i < count; i++) {
    if (low[i] < low[i - 1]) {
      throw new KernelError(
        `${source}: the address of symbol ${i} is below the one before it: the tables were not understood`,
      );
    }
  }
  const found = { count, absolute, offsets: low, types, names, starts };
  for (const name of REQUIRED) {
    if (findName(found, name) < 0) {
      throw new KernelError(
        `${source}: none of its ${count} symbols is called ${name}: not a Linux kernel's symbols`,
      );
    }
  }
  const text = textIndex(found);
  const textLow = low[text];
  if (text < absolute) {
    throw new KernelError(`${source}: _text is listed as an absolute symbol`);
  }
  const offsets = new Uint32Array(low.length);
  for (let i = 0; i < count; i++) {
    offsets[i] = i < absolute ? low[i] : low[i] - textLow;
  }
  return { blob: { ...found, offsets }, textLow };
}
