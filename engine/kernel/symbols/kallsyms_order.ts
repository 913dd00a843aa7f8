/**
 * What kallsyms says of itself twice: the kernel also keeps the order of all
 * names, for its own searches, and where each 256th of them starts. Someone who
 * renames a symbol in memory has to think of both.
 *
 * Source: kernel/kallsyms.c, scripts/kallsyms.c.
 *
 * @module
 */
import { allocateBytes, allocateWords } from "../../base/allocate.ts";
import type { ReadGva } from "../../memory/guest_reader.ts";
import {
  type KallsymsAddresses,
  type KallsymsTables,
  MAX_SYMBOLS,
} from "./kallsyms.ts";
import { nameAt, type SymbolBlob } from "./symbol_blob.ts";

/** Bytes of an entry of kallsyms_seqs_of_names, a big-endian number. */
const SEQ_BYTES = 3;
/** Symbols from one entry of kallsyms_markers to the next. */
const GROUP = 256;

/** Lengths in the names table: where each 256th name starts, and the end. */
function groupStarts({ names, count }: KallsymsTables): Uint32Array {
  const starts = allocateWords(
    Uint32Array,
    Math.ceil(count / GROUP) + 1,
    MAX_SYMBOLS,
    "kallsyms_markers",
  );
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (i % GROUP === 0) starts[i / GROUP] = at;
    let length = names[at++];
    if (length & 0x80) length = (length & 0x7f) | (names[at++] << 7);
    at += length;
  }
  starts[starts.length - 1] = at;
  return starts;
}

/** Where kallsyms_markers begins in `names`; the names end before it. */
function markersAt(starts: Uint32Array, align: number): number {
  return Math.ceil(starts[starts.length - 1] / align) * align;
}

/**
 * Copies kallsyms_seqs_of_names: between the markers and the token table (6.1),
 * or after the offsets (6.12).
 *
 * @returns `undefined` when neither place holds a permutation of all symbols;
 * kernels before 6.2 do not have this table, unless it was backported.
 * @throws {MemoryError} from `read`.
 */
export function readOrder(
  read: ReadGva,
  at: KallsymsAddresses,
  tables: KallsymsTables,
): Uint32Array | undefined {
  const { count, names } = tables;
  const starts = groupStarts(tables);
  const groups = 4 * (starts.length - 1);
  const size = SEQ_BYTES * count;
  for (const align of [8, 4]) {
    const markers = markersAt(starts, align);
    const from = markers + Math.ceil(groups / align) * align;
    if (from + size > names.length) continue;
    const order = permutation(names.subarray(from, from + size));
    if (order !== undefined) return order;
  }
  if (at.offsets < at.tokenTable) return undefined;
  const end = at.offsets + BigInt(4 * count);
  const first = at.relativeBase === undefined
    ? (end + 7n) & ~7n
    : at.relativeBase + 8n;
  for (const gva of at.relativeBase === undefined ? [end, first] : [first]) {
    const bytes = allocateBytes(size, SEQ_BYTES * MAX_SYMBOLS, gva);
    read(gva, bytes);
    const order = permutation(bytes);
    if (order !== undefined) return order;
  }
  return undefined;
}

/** Decodes a table; `undefined` when it is not a permutation. */
function permutation(bytes: Uint8Array): Uint32Array | undefined {
  const count = bytes.length / SEQ_BYTES;
  const what = "kallsyms_seqs_of_names";
  const order = allocateWords(Uint32Array, count, MAX_SYMBOLS, what);
  const seen = allocateBytes(count, MAX_SYMBOLS, what);
  for (let i = 0, at = 0; i < count; i++, at += SEQ_BYTES) {
    const index = bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2];
    if (index >= count || seen[index] === 1) return undefined;
    seen[index] = 1;
    order[i] = index;
  }
  return order;
}

/**
 * The pairs of symbols that are not in the order of their names, although the
 * kernel's own list of that order says so; at most `limit`. One of the two has
 * been renamed.
 */
export function misplacedNames(
  blob: SymbolBlob,
  order: Uint32Array,
  limit: number,
): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 1; i < order.length && pairs.length < limit; i++) {
    if (compare(blob, order[i - 1], order[i]) <= 0) continue;
    const pair = [nameAt(blob, order[i - 1]), nameAt(blob, order[i])] as const;
    // Kernels built with LTO sort without the suffix that it adds.
    const [a, b] = pair.map((name) => name.replace(/\.llvm\..*$/, ""));
    if (a > b) pairs.push(pair);
  }
  return pairs;
}

/** Like strcmp, of two symbols' names. */
function compare({ names, starts }: SymbolBlob, a: number, b: number): number {
  const [from, to] = [starts[a], starts[b]];
  const [left, right] = [starts[a + 1] - from, starts[b + 1] - to];
  const length = Math.min(left, right);
  for (let i = 0; i < length; i++) {
    const difference = names[from + i] - names[to + i];
    if (difference !== 0) return difference;
  }
  return left - right;
}

/**
 * Whether kallsyms_markers, which follows the names, disagrees with where the
 * names start; `undefined` when it does not seem to follow them.
 */
export function markersDisagree(tables: KallsymsTables): boolean | undefined {
  const starts = groupStarts(tables);
  const groups = starts.length - 1;
  const view = new DataView(
    tables.names.buffer,
    tables.names.byteOffset,
    tables.names.length,
  );
  for (const align of [8, 4]) {
    const at = markersAt(starts, align);
    if (at + 4 * groups > view.byteLength) continue;
    let same = 0;
    for (let i = 0; i < groups; i++) {
      if (view.getUint32(at + 4 * i, true) === starts[i]) same++;
    }
    if (same * 2 > groups) return same !== groups;
  }
  return undefined;
}
