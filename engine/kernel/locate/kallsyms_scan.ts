/**
 * Finds kallsyms in physical memory without vmcoreinfo: the token table holds
 * "0" to "9" one after another, and every other table lies at a known place
 * around it. The kernel image is physically contiguous.
 *
 * Orders of the tables, each aligned to 8 or 4 bytes (scripts/kallsyms.c):
 * - offsets, relative_base, num_syms, names, markers, [seqs_of_names],
 *   token_table, token_index (6.1);
 * - num_syms, names, markers, token_table, token_index, offsets,
 *   [relative_base], seqs_of_names (6.12; 7.2 has no relative_base).
 *
 * @module
 */
import { architectures } from "../../arch/all.ts";
import type { Arch } from "../../arch/arch.ts";
import type { ImageMap } from "../../arch/image_map.ts";
import { KernelError } from "../../base/errors.ts";
import type { GpaRange, PhysicalMemory } from "../../memory/physical_memory.ts";
import {
  expandKallsyms,
  type KallsymsTables,
  MAX_SYMBOLS,
} from "../symbols/kallsyms.ts";
import { placeImage } from "./kallsyms_place.ts";
import type { SymbolBlob } from "../symbols/symbol_blob.ts";
import { PhysicalWindow } from "./physical_window.ts";

/** A kernel image that was found in physical memory. */
export interface FoundImage {
  readonly arch: Arch;
  readonly blob: SymbolBlob;
  /** GVA of `_text` in the running kernel. */
  readonly textGva: bigint;
  /** GPA of `_text`. */
  readonly textGpa: number;
  /** GPA of kallsyms_token_table, for messages. */
  readonly tokenTableGpa: number;
  readonly tables: KallsymsTables;
}

/** The most places that look like a token table. */
const MOST_HITS = 4096;
/** The most images; a guest has one, and a few may survive reboots. */
const MOST_IMAGES = 4;
/** How long the search may take, in ms; one image takes some 100. */
const MOST_MS = 5000;

/** `"0\0" "1\0" ... "9\0"`: tokens 0x30..0x39 in every kernel. */
const DIGITS = new TextEncoder().encode(
  "0\0" + "1\0" + "2\0" + "3\0" + "4\0" + "5\0" + "6\0" + "7\0" + "8\0" + "9\0",
);
/**
 * How far before the token table the other tables may start, in bytes: enough
 * for 400,000 symbols.
 */
const BEFORE = 12 << 20;
/**
 * How far after the token index the offsets may extend, in bytes: enough for
 * 1,000,000 symbols.
 */
const AFTER = 4 << 20;
/** Maximum size of a group of 256 names, in bytes. */
const MAX_GROUP = 256 * 600;

/** Alignment of every table, in bytes: 8 up to 6.12, 4 as seen in 7.2. */
type Alignment = 8 | 4;
const ALIGNMENTS: readonly Alignment[] = [8, 4];

function alignUp(n: number, to: Alignment): number {
  return Math.ceil(n / to) * to;
}

/** GPAs of the token table and index. */
interface Tokens {
  readonly table: number;
  readonly index: number;
}

/** The token table and index around a match of {@linkcode DIGITS}. */
function tokensAround(
  window: PhysicalWindow,
  hit: number,
  align: Alignment,
): Tokens | undefined {
  let at = hit;
  for (let token = 0x30; token < 256; token++) {
    while (window.u8(at) !== 0) if (++at >= window.end) return undefined;
    at++;
  }
  const index = alignUp(at, align);
  if (index + 512 > window.end || window.u16(index) !== 0) return undefined;
  const table = hit - window.u16(index + 2 * 0x30);
  if (table < window.start || table % align !== 0) return undefined;
  at = table;
  for (let token = 0; token < 256; token++) {
    if (window.u16(index + 2 * token) !== at - table) return undefined;
    while (window.u8(at) !== 0) at++;
    at++;
  }
  return { table, index };
}

/** GPAs of the names table and its count. */
interface Names {
  readonly count: number;
  /** GPA of kallsyms_num_syms. */
  readonly numSyms: number;
  readonly names: number;
  readonly markers: number;
}

/**
 * Finds num_syms and names before a markers table that starts at `markers` and
 * has `groups` entries; `count` if it is already known.
 */
function namesBefore(
  w: PhysicalWindow,
  align: Alignment,
  markers: number,
  groups: number,
  count?: number,
): Names | undefined {
  for (let g = 1; g < groups; g++) {
    const step = w.u32(markers + 4 * g) - w.u32(markers + 4 * (g - 1));
    if (step < 512 || step > MAX_GROUP) return undefined;
  }
  const last = w.u32(markers + 4 * (groups - 1));
  const lowest = Math.max(w.start + align, markers - last - MAX_GROUP);
  const highest = alignUp(markers - last - align, align);
  for (let names = highest; names >= lowest; names -= align) {
    const n = w.u32(names - align);
    if (count === undefined ? Math.ceil(n / 256) !== groups : n !== count) {
      continue;
    }
    if (namesFit(w, align, names, n, markers)) {
      return { count: n, numSyms: names - align, names, markers };
    }
  }
  return undefined;
}

/** Whether `count` names starting at `names` agree with all markers. */
function namesFit(
  w: PhysicalWindow,
  align: Alignment,
  names: number,
  count: number,
  markers: number,
): boolean {
  let at = names;
  for (let i = 0; i < count; i++) {
    if ((i & 255) === 0 && w.u32(markers + (i >>> 8) * 4) !== at - names) {
      return false;
    }
    let length = w.u8(at++);
    if (length & 0x80) length = (length & 0x7f) | (w.u8(at++) << 7);
    at += length;
    if (length === 0 || at > markers) return false;
  }
  return alignUp(at, align) === markers;
}

/** Finds the names table from what directly precedes the token table. */
function locateNames(
  w: PhysicalWindow,
  align: Alignment,
  table: number,
): Names | undefined {
  // If the markers directly precede it, follow them down to their first entry,
  // 0.
  const padded = align === 8 && w.u32(table - 4) === 0 ? 4 : 0;
  let at = table - padded - 4;
  while (at >= w.start + 16 && w.u32(at) > w.u32(at - 4)) at -= 4;
  if (w.u32(at) === 0) {
    const groups = (table - padded - at) / 4;
    const found = namesBefore(w, align, at, groups);
    if (found !== undefined) return found;
  }
  // If seqs_of_names (3 bytes a symbol) lies in between, try each count.
  for (let count = 257; count <= MAX_SYMBOLS; count++) {
    const groups = Math.ceil(count / 256);
    const markers = table - alignUp(3 * count, align) -
      alignUp(4 * groups, align);
    if (markers < w.start + 16) break;
    if (w.u32(markers) !== 0) continue;
    const first = w.u32(markers + 4);
    if (first < 512 || first > MAX_GROUP) continue;
    const found = namesBefore(w, align, markers, groups, count);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Yields the tables in every possible order; wrong ones fail to expand. */
function* orders(
  image: ImageMap,
  w: PhysicalWindow,
  align: Alignment,
  { count, numSyms, names, markers }: Names,
  { table, index }: Tokens,
): Generator<{ tables: KallsymsTables; offsetsGpa: number }> {
  const common = {
    count,
    names: w.bytes(names, markers - names),
    tokenTable: w.bytes(table, index - table),
    tokenIndex: new Uint16Array(w.bytes(index, 512).buffer),
  };
  const at = (offsets: number) =>
    new Int32Array(w.bytes(offsets, 4 * count).buffer);
  const size = alignUp(4 * count, align);

  const after = index + 512;
  if (after + size + 8 <= w.end) {
    const relativeBase = w.u64(after + size);
    const offsets = at(after);
    yield { tables: { ...common, offsets, relativeBase }, offsetsGpa: after };
    // Place-relative: any base gives the right differences between addresses.
    yield {
      tables: { ...common, offsets, offsetsGva: placeBase(image) },
      offsetsGpa: after,
    };
  }
  const before = numSyms - 8 - size;
  if (before >= w.start) {
    const relativeBase = w.u64(numSyms - 8);
    yield {
      tables: { ...common, offsets: at(before), relativeBase },
      offsetsGpa: before,
    };
  }
}

/**
 * A substitute for &kallsyms_offsets when only its GPA is known; there is room
 * for an image of any size before it.
 */
function placeBase({ range, maxSize }: ImageMap): bigint {
  return range.start + BigInt(maxSize);
}

/** How far a match got; the one that got furthest is reported to the user. */
interface Miss {
  readonly step: 0 | 1 | 2 | 3;
  readonly reason: string;
}

function imageAt(
  mem: PhysicalMemory,
  data: readonly GpaRange[],
  hit: number,
): FoundImage | Miss {
  const near = new PhysicalWindow(mem, data, hit - 8192, hit + 16384);
  let miss: Miss = { step: 0, reason: "no token table" };
  for (const align of ALIGNMENTS) {
    const tokens = tokensAround(near, hit, align);
    if (tokens === undefined) continue;
    const found = imageAround(mem, data, align, tokens);
    if ("blob" in found) return found;
    if (found.step > miss.step) miss = found;
  }
  return miss;
}

function imageAround(
  mem: PhysicalMemory,
  data: readonly GpaRange[],
  align: Alignment,
  tokens: Tokens,
): FoundImage | Miss {
  const w = new PhysicalWindow(
    mem,
    data,
    tokens.table - BEFORE,
    tokens.index + 512 + AFTER,
  );
  const names = locateNames(w, align, tokens.table);
  if (names === undefined) {
    return {
      step: 1,
      reason: "a token table, but no names and markers before it",
    };
  }
  let miss: Miss = { step: 2, reason: "names, but no offsets around them" };
  for (const arch of architectures) {
    const { image } = arch;
    for (const one of orders(image, w, align, names, tokens)) {
      try {
        const { blob, textGva } = expandKallsyms(one.tables, image.range);
        const known = one.tables.relativeBase === undefined
          ? { textGpa: one.offsetsGpa - Number(placeBase(image) - textGva) }
          : { textGva };
        const placed = placeImage(arch, mem, blob, tokens.table, known);
        if (placed !== undefined) {
          const { tables } = one;
          return { arch, blob, ...placed, tokenTableGpa: tokens.table, tables };
        }
        const reason = `${blob.count} symbols, but no kernel image they fit`;
        miss = { step: 3, reason };
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        if (miss.step < 3) miss = { step: 2, reason: error.message };
      }
    }
  }
  return miss;
}

/**
 * Finds kernels' symbols, and their places in physical and virtual memory, by
 * scanning for kallsyms token tables. There is usually one; anybody in the
 * guest can make more.
 *
 * The place is verified in the image itself (the banner or BTF must be where
 * the symbols say), so that a stray copy of the tables is ignored.
 *
 * @throws {KernelError} when there is no kernel, or one with an unknown layout
 * (the message says how far the search got), or suspiciously many.
 */
export function findKallsyms(mem: PhysicalMemory): FoundImage[] {
  let best: Miss | undefined;
  let where = 0;
  const images: FoundImage[] = [];
  const until = performance.now() + MOST_MS;
  const data = mem.dataRanges();
  const hits = mem.search(DIGITS, MOST_HITS + 1);
  for (const hit of hits) {
    const late = performance.now() > until;
    if (late || hits.length > MOST_HITS || images.length > MOST_IMAGES) {
      throw new KernelError(
        `${mem.name} holds so many symbol tables that its kernel's cannot be told from the others: somebody has filled the guest's memory with them`,
      );
    }
    const found = imageAt(mem, data, hit);
    if ("blob" in found) images.push(found);
    else if (best === undefined || found.step > best.step) {
      best = found;
      where = hit;
    }
  }
  if (images.length > 0) return images;
  const how = best === undefined || best.step === 0
    ? ""
    : ` (at GPA 0x${where.toString(16)}: ${best.reason})`;
  throw new KernelError(
    `${mem.name}: no Linux kernel's symbol table in this memory${how}; is the guest still in its firmware, or not Linux?`,
  );
}
