/**
 * Raw BTF: the header, the position of each type record, and its words. Nothing
 * is converted to objects here. Source: include/uapi/linux/btf.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";

/** BTF_KIND_*: defined by the format, the same in every kernel. */
export const BTF_KIND = {
  void: 0,
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  fwd: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  var: 14,
  datasec: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** Number of words after the common three, by kind. */
const FIXED_WORDS: readonly number[] = Object.assign(Array(20).fill(0), {
  [BTF_KIND.int]: 1,
  [BTF_KIND.array]: 3,
  [BTF_KIND.var]: 1,
  [BTF_KIND.declTag]: 1,
});
/** Number of words per member, enumerator, parameter or variable, by kind. */
const ENTRY_WORDS: readonly number[] = Object.assign(Array(20).fill(0), {
  [BTF_KIND.struct]: 3,
  [BTF_KIND.union]: 3,
  [BTF_KIND.enum]: 2,
  [BTF_KIND.enum64]: 3,
  [BTF_KIND.funcProto]: 2,
  [BTF_KIND.datasec]: 3,
});

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
/**
 * No symbol has a longer name; the limit keeps damaged BTF from overflowing the
 * stack.
 */
const LONGEST_NAME = 4096;

/** Creates the error for damaged BTF. */
export function badBtf(what: string): KernelError {
  return new KernelError(`BTF: ${what}`);
}

/**
 * BTF type records by type id. Id 0 is `void`; ids 1 to `count - 1` have
 * records of words: name offset, info, size or type, then words that depend on
 * the kind.
 */
export class RawBtf {
  /** Number of type ids, including `void`. */
  readonly count: number;
  /** The type section as 32-bit words. */
  readonly words: Uint32Array;
  /** Index of each type's first word. */
  readonly at: Uint32Array;
  /** The string section; each name ends with a zero byte. */
  readonly strings: Uint8Array;

  readonly #base?: RawBtf;
  /** Ids up to this one, and offsets before that one, are the base's. */
  readonly #lastBaseId: number = 0;
  readonly #baseStrings: number = 0;

  /**
   * @param bytes A whole BTF image (`__start_BTF` to `__stop_BTF`).
   * @param base The kernel's BTF, which that of a module continues: its ids and
   *   its names come first.
   * @throws {KernelError} when it is truncated, damaged or not BTF.
   */
  constructor(bytes: Uint8Array, base?: RawBtf) {
    if (bytes.length < HEADER_BYTES) {
      throw badBtf(`${bytes.length} bytes are too few for a header`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const magic = view.getUint16(0, true);
    if (magic !== MAGIC) {
      throw badBtf(`magic is ${hex(magic)}, not 0xeb9f`);
    }
    const version = view.getUint8(2);
    if (version !== 1) throw badBtf(`version ${version} is unknown`);
    const header = view.getUint32(4, true);
    const types = header + view.getUint32(8, true);
    const typeBytes = view.getUint32(12, true);
    const strings = header + view.getUint32(16, true);
    const stringBytes = view.getUint32(20, true);
    if (
      header < HEADER_BYTES || types + typeBytes > bytes.length ||
      strings + stringBytes > bytes.length
    ) {
      throw badBtf(`truncated: ${bytes.length} bytes do not hold its sections`);
    }
    if (types % 4 !== 0 || typeBytes % 4 !== 0) {
      throw badBtf("the type section is not aligned");
    }
    this.strings = bytes.subarray(strings, strings + stringBytes);
    if (
      base === undefined
        ? stringBytes === 0 || this.strings[0] !== 0 ||
          this.strings[stringBytes - 1] !== 0
        // A module may have no names of its own.
        : stringBytes > 0 && this.strings[stringBytes - 1] !== 0
    ) {
      throw badBtf("the string section does not start and end with a zero");
    }
    if (base !== undefined) {
      this.#base = base;
      this.#lastBaseId = base.count - 1;
      this.#baseStrings = base.strings.length;
    }
    const start = bytes.byteOffset + types;
    this.words = start % 4 === 0
      ? new Uint32Array(bytes.buffer, start, typeBytes / 4)
      : new Uint32Array(bytes.slice(types, types + typeBytes).buffer);
    this.at = indexRecords(this.words, this.#baseStrings + stringBytes);
    this.count = this.#lastBaseId + this.at.length;
  }

  /** The first id that is not the base's. */
  get firstId(): number {
    return this.#lastBaseId + 1;
  }

  /** BTF_KIND_* of a type; 0 for `void`. */
  kind(id: number): number {
    return id === 0 ? 0 : kindOf(this.word(id, 1));
  }

  /** Number of members, enumerators or parameters of a type. */
  entries(id: number): number {
    return this.word(id, 1) & 0xffff;
  }

  /** The kind_flag bit of a type. */
  flag(id: number): boolean {
    return this.word(id, 1) >>> 31 === 1;
  }

  /**
   * Word `n` of a type's record (1: info; 2: size or type; 3 and up depend on
   * the kind).
   */
  word(id: number, n: number): number {
    if (id <= this.#lastBaseId && this.#base !== undefined) {
      return this.#base.word(id, n);
    }
    if (id <= 0 || id >= this.count) {
      throw badBtf(`type ${id} is referred to but does not exist`);
    }
    return this.words[this.at[id - this.#lastBaseId] + n];
  }

  /** The name of a type, "" for anonymous ones and `void`. */
  name(id: number): string {
    return id === 0 ? "" : this.string(this.word(id, 0));
  }

  /** The string at an offset of the string section. */
  string(offset: number): string {
    if (offset < this.#baseStrings && this.#base !== undefined) {
      return this.#base.string(offset);
    }
    const { strings } = this;
    offset -= this.#baseStrings;
    if (offset >= strings.length) {
      throw badBtf(`a name is outside of the string section`);
    }
    const end = strings.indexOf(0, offset);
    if (end - offset > LONGEST_NAME) throw badBtf("a name is implausibly long");
    return String.fromCharCode(...strings.subarray(offset, end));
  }
}

/** Extracts BTF_KIND_* from a record's info word. */
export function kindOf(info: number): number {
  return (info >>> 24) & 0x1f;
}

/** Finds where each record starts, and checks that it fits. */
function indexRecords(words: Uint32Array, stringBytes: number): Uint32Array {
  // No record is shorter than three words.
  const at = new Uint32Array(Math.floor(words.length / 3) + 1);
  let count = 1;
  let next = 0;
  while (next < words.length) {
    const info = words[next + 1];
    const kind = kindOf(info);
    if (next + 3 > words.length || kind === 0 || kind > BTF_KIND.enum64) {
      throw badBtf(`type ${count} has the unknown kind ${kind}`);
    }
    if (words[next] >= stringBytes) {
      throw badBtf(`the name of type ${count} is outside of its section`);
    }
    at[count++] = next;
    next += 3 + FIXED_WORDS[kind] + ENTRY_WORDS[kind] * (info & 0xffff);
  }
  if (next !== words.length) {
    throw badBtf(`truncated: type ${count - 1} does not end in its section`);
  }
  return at.slice(0, count);
}
