/**
 * kallsyms: the symbol table that every kernel carries in its own memory.
 *
 * Names are compressed with 256 tokens, lengths are ULEB128, addresses are
 * 32-bit offsets in one of three encodings. Sources: kernel/kallsyms.c
 * (reader), scripts/kallsyms.c (writer).
 *
 * @module
 */
import { allocateBytes, allocateWords } from "../../base/allocate.ts";
import { createHash } from "node:crypto";
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { ReadGva } from "../../memory/guest_reader.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import { CodeWindow } from "./code_window.ts";
import { buildBlob, type SymbolBlob, textIndex } from "./symbol_blob.ts";

/**
 * GVAs of the kallsyms tables, as given in vmcoreinfo (`SYMBOL(kallsyms_names)`
 * and so on; kernel/vmcore_info.c).
 */
export interface KallsymsAddresses {
  readonly names: bigint;
  readonly numSyms: bigint;
  readonly tokenTable: bigint;
  readonly tokenIndex: bigint;
  readonly offsets: bigint;
  /** Absent in kernels whose offsets are relative to their own place. */
  readonly relativeBase?: bigint;
}

/** The kallsyms tables themselves, copied out of guest memory. */
export interface KallsymsTables {
  /** kallsyms_num_syms. */
  readonly count: number;
  /** kallsyms_names, possibly followed by bytes of the next table. */
  readonly names: Uint8Array;
  readonly tokenTable: Uint8Array;
  /** 256 offsets into `tokenTable`. */
  readonly tokenIndex: Uint16Array;
  /** `count` entries. */
  readonly offsets: Int32Array;
  /** Value of kallsyms_relative_base, if the kernel has it. */
  readonly relativeBase?: bigint;
  /** GVA of kallsyms_offsets, needed for place-relative offsets. */
  readonly offsetsGva?: bigint;
}

/** The symbols, and where their kernel was loaded. */
export interface ExpandedKallsyms {
  readonly blob: SymbolBlob;
  /** GVA of `_text` in the running kernel. */
  readonly textGva: bigint;
}

/** More symbols than any kernel has; a larger count means misread data. */
export const MAX_SYMBOLS = 2_000_000;
/** The most bytes of names accepted, both compressed and expanded. */
export const MAX_NAMES = 64 << 20;

/** Bytes that token_index can reach. */
const MAX_TOKENS = 0x10000;
const SYMBOLS = "the kernel's table of symbols";

function bad(what: string): KernelError {
  return new KernelError(`kallsyms: ${what}`);
}

/**
 * Copies the tables at the addresses that vmcoreinfo gives.
 *
 * @throws {KernelError} when the bytes cannot be kallsyms tables.
 * @throws {MemoryError} from `read`.
 */
export function readKallsyms(
  read: ReadGva,
  at: KallsymsAddresses,
): KallsymsTables {
  const word = new Uint8Array(8);
  const view = new DataView(word.buffer);
  read(at.numSyms, word.subarray(0, 4));
  const count = view.getUint32(0, true);
  const wrongCount = () =>
    bad(`${count} symbols at kallsyms_num_syms cannot be right`);
  if (count === 0) throw wrongCount();
  let relativeBase: bigint | undefined;
  if (at.relativeBase !== undefined) {
    read(at.relativeBase, word);
    relativeBase = view.getBigUint64(0, true);
  }
  const tokenLength = Number(at.tokenIndex - at.tokenTable);
  const unordered = () => bad("token_index does not follow token_table");
  if (tokenLength < 256) throw unordered();
  const tokenTable = allocateBytes(tokenLength, MAX_TOKENS, at.tokenTable, {
    error: unordered,
  });
  read(at.tokenTable, tokenTable);
  const tokenIndex = new Uint16Array(256);
  read(at.tokenIndex, new Uint8Array(tokenIndex.buffer));
  const offsets = allocateWords(Int32Array, count, MAX_SYMBOLS, at.offsets, {
    error: wrongCount,
  });
  read(at.offsets, new Uint8Array(offsets.buffer));

  // The length of the names is not stored; in every known order of the tables,
  // the markers and then the token table follow them.
  const span = Number(at.tokenTable - at.names);
  const unknown = () =>
    bad("token_table does not follow names: an unknown layout");
  if (span <= 0) throw unknown();
  const names = allocateBytes(span, MAX_NAMES, at.names, { error: unknown });
  read(at.names, names);
  return {
    count,
    names,
    tokenTable,
    tokenIndex,
    offsets,
    relativeBase,
    offsetsGva: at.offsets,
  };
}

function tooLong(): KernelError {
  return bad("the names are implausibly long");
}

/** Where each token's bytes start and end within the token table. */
interface Tokens {
  readonly start: Uint32Array;
  readonly end: Uint32Array;
}

function readTokens(table: Uint8Array, index: Uint16Array): Tokens {
  const start = new Uint32Array(256);
  const end = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    start[i] = index[i];
    let at = index[i];
    while (at < table.length && table[at] !== 0) at++;
    if (at >= table.length) throw bad(`token ${i} does not end in its table`);
    end[i] = at;
    if (i < 255 && index[i + 1] !== at + 1) {
      throw bad(`token_index and token_table disagree at token ${i}`);
    }
  }
  return { start, end };
}

/**
 * Expands the compressed names; {@linkcode SymbolBlob} describes the arrays.
 */
function expandNames(
  { count, names, tokenTable }: KallsymsTables,
  { start, end }: Tokens,
): { types: Uint8Array; bytes: Uint8Array; starts: Uint32Array } {
  // A first pass over the compressed bytes determines the exact size of the
  // result.
  const starts = allocateWords(
    Uint32Array,
    count + 1,
    MAX_SYMBOLS + 1,
    SYMBOLS,
  );
  let at = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    let length = names[at++];
    if (length & 0x80) length = (length & 0x7f) | (names[at++] << 7);
    const stop = at + length;
    if (!(stop <= names.length) || length === 0) {
      throw bad(`the name of symbol ${i} is outside of its table`);
    }
    starts[i] = total;
    while (at < stop) {
      const token = names[at++];
      total += end[token] - start[token];
    }
    // The first character is the symbol's type.
    if (--total <= starts[i]) throw bad(`symbol ${i} has no name`);
    if (total > MAX_NAMES) throw tooLong();
  }
  starts[count] = total;

  const types = allocateBytes(count, MAX_SYMBOLS, SYMBOLS);
  const bytes = allocateBytes(total, MAX_NAMES, "the names", {
    error: tooLong,
  });
  at = 0;
  let to = 0;
  for (let i = 0; i < count; i++) {
    let length = names[at++];
    if (length & 0x80) length = (length & 0x7f) | (names[at++] << 7);
    const stop = at + length;
    let type = 0;
    while (at < stop) {
      const token = names[at++];
      let from = start[token];
      const last = end[token];
      if (type === 0 && from < last) type = tokenTable[from++];
      while (from < last) bytes[to++] = tokenTable[from++];
    }
    if (!isTypeLetter(type)) throw bad(`symbol ${i} has no type letter`);
    types[i] = type;
  }
  for (let i = 0; i < total; i++) {
    if (bytes[i] <= 0x20 || bytes[i] >= 0x7f) {
      throw bad("a name holds bytes that no symbol has");
    }
  }
  return { types, bytes, starts };
}

function isTypeLetter(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || code === 0x3f;
}

/**
 * Each symbol's distance from the start of the kernel's code window, and how
 * many leading symbols are absolute. The encoding is recognized by the offsets
 * themselves.
 */
function decodeOffsets(
  { count, offsets, relativeBase, offsetsGva }: KallsymsTables,
  image: GvaRange,
): { low: Uint32Array; absolute: number; window: CodeWindow } {
  const low = allocateWords(Uint32Array, count, MAX_SYMBOLS, SYMBOLS);
  if (relativeBase === undefined) {
    // Since 7.x the address is &kallsyms_offsets[i] + kallsyms_offsets[i].
    if (offsetsGva === undefined) throw bad("the offsets' base is unknown");
    const window = new CodeWindow(offsetsGva);
    const base = Number(offsetsGva - window.base);
    for (let i = 0; i < count; i++) low[i] = base + 4 * i + offsets[i];
    return { low, absolute: 0, window };
  }
  if (relativeBase < image.start || relativeBase >= image.end) {
    throw bad(`relative_base ${hex(relativeBase)} is no image base`);
  }
  const window = new CodeWindow(relativeBase);
  const base = Number(relativeBase - window.base);
  let absolute = 0;
  while (absolute < count && offsets[absolute] >= 0) absolute++;
  if (absolute === count) {
    // None is negative: plain u32 offsets (no CONFIG_KALLSYMS_ABSOLUTE_PERCPU).
    for (let i = 0; i < count; i++) low[i] = base + offsets[i];
    return { low, absolute: 0, window };
  }
  for (let i = 0; i < absolute; i++) low[i] = offsets[i];
  for (let i = absolute; i < count; i++) low[i] = base - 1 - offsets[i];
  return { low, absolute, window };
}

/**
 * Expands the tables to all symbols, and determines where the kernel was
 * loaded.
 *
 * @param image the architecture's limits for kernel images
 * @throws {KernelError} when anything in the tables is implausible: an unknown
 * layout is refused, not guessed.
 */
export function expandKallsyms(
  tables: KallsymsTables,
  image: GvaRange,
): ExpandedKallsyms {
  const tokens = readTokens(tables.tokenTable, tables.tokenIndex);
  const { low, absolute, window } = decodeOffsets(tables, image);
  const { types, bytes, starts } = expandNames(tables, tokens);
  const { blob, textLow } = buildBlob(
    "kallsyms",
    low,
    absolute,
    types,
    bytes,
    starts,
  );
  return { blob, textGva: inImage(window.base + BigInt(textLow), image) };
}

/**
 * SHA-256, in hex, of everything in the tables that determines what they expand
 * to, except for where the kernel was loaded.
 */
export function tablesDigest(tables: KallsymsTables): string {
  const { count, names, tokenTable, tokenIndex, offsets, relativeBase } =
    tables;
  const lengths = [count, names.length, tokenTable.length];
  const encoding = relativeBase === undefined ? "place-relative" : "relative";
  const hash = createHash("sha256").update(`${encoding} ${lengths.join()}\n`);
  for (
    const { buffer, byteOffset, byteLength } of [
      names,
      tokenTable,
      tokenIndex,
      offsets,
    ]
  ) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex");
}

/**
 * GVA of `_text`, for tables of which the expansion is known.
 *
 * @throws {KernelError} like {@linkcode expandKallsyms}.
 */
export function textGvaOf(
  tables: KallsymsTables,
  blob: SymbolBlob,
  image: GvaRange,
): bigint {
  const { low, absolute, window } = decodeOffsets(tables, image);
  const index = textIndex(blob);
  if (blob.count !== tables.count || blob.absolute !== absolute || index < 0) {
    throw bad("these are not the symbols of these tables");
  }
  return inImage(window.base + BigInt(low[index]), image);
}

function inImage(textGva: bigint, image: GvaRange): bigint {
  if (textGva < image.start || textGva >= image.end) {
    throw bad(`_text at ${hex(textGva)} is outside of the image`);
  }
  return textGva;
}
