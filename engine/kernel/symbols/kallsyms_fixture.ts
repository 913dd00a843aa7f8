/**
 * Builds small kernel images with kallsyms tables, for tests: it can encode
 * every layout that the reader knows.
 *
 * @module
 */
import type { KallsymsAddresses } from "./kallsyms.ts";

/** A symbol to encode; `address` is a GVA, or the value when absolute. */
export interface FixtureSymbol {
  readonly name: string;
  readonly type: string;
  readonly address: bigint;
}

/** Order and encoding of the tables. */
export interface FixtureLayout {
  /**
   * Whether offsets and relative_base come before the names (6.1) or after
   * them.
   */
  readonly offsetsFirst: boolean;
  /** Whether seqs_of_names stands between markers and tokens. */
  readonly seqs: boolean;
  /** Alignment of each table. */
  readonly align: 8 | 4;
  readonly encoding: "absolute-percpu" | "unsigned" | "place-relative";
}

/** Layouts of real kernels. */
export const LAYOUTS: Readonly<Record<string, FixtureLayout>> = {
  "5.10": {
    offsetsFirst: true,
    seqs: false,
    align: 8,
    encoding: "absolute-percpu",
  },
  "6.1": {
    offsetsFirst: true,
    seqs: true,
    align: 8,
    encoding: "absolute-percpu",
  },
  "6.12": {
    offsetsFirst: false,
    seqs: false,
    align: 8,
    encoding: "absolute-percpu",
  },
  "6.15": {
    offsetsFirst: false,
    seqs: false,
    align: 8,
    encoding: "unsigned",
  },
  "7.2": {
    offsetsFirst: false,
    seqs: false,
    align: 4,
    encoding: "place-relative",
  },
};

/** Offsets from `_text` in the fixture's image. */
export const RODATA = 0x200000;
const BANNER = 0x1000;
const CALLS = 0x2000;
const TABLES = 0x3000;

/** A generated kernel image. */
export interface FixtureImage {
  /** The image's bytes from `_text` on. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** GVAs of the tables. */
  readonly at: KallsymsAddresses;
  /** All symbols, in table order. */
  readonly symbols: readonly FixtureSymbol[];
}

/**
 * Symbols for a fixture: those that every kernel has, and `count` functions.
 */
export function fixtureSymbols(
  textGva: bigint,
  count: number,
  percpu: boolean,
): FixtureSymbol[] {
  const symbols: FixtureSymbol[] = percpu
    ? [
      { name: "fixed_percpu_data", type: "A", address: 0n },
      { name: "__per_cpu_start", type: "A", address: 0n },
      { name: "current_task", type: "A", address: 0x1fb80n },
    ]
    : [];
  const add = (name: string, type: string, offset: number) =>
    symbols.push({ name, type, address: textGva + BigInt(offset) });
  add("_text", "T", 0);
  add("_stext", "T", 0);
  add("schedule", "T", 0x40);
  for (let i = 0; i < count; i++) {
    add(`fn_${i.toString(36)}_vfs_read.part.${i % 7}`, "t", 0x100 + 0x20 * i);
  }
  const end = 0x100 + 0x20 * count;
  add("__x64_sys_read", "T", end);
  add("__x64_sys_write", "T", end + 0x20);
  add("__x64_sys_open", "T", end + 0x40);
  add("alias_first", "T", end + 0x60);
  add("alias_second", "t", end + 0x60);
  add("_etext", "T", end + 0x80);
  add("linux_banner", "D", RODATA + BANNER);
  add("sys_call_table", "D", RODATA + CALLS);
  add("_end", "B", RODATA + 0x100000);
  add("__brk_limit", "B", RODATA + 0x100000);
  return symbols;
}

/** 256 tokens: each character represents itself; unused ones get strings. */
function tokens(): string[] {
  const common = [
    "Tvfs_",
    "vfs_",
    "read",
    ".part.",
    "tfn_",
    "__x64_sys_",
    "fn_",
    "T_",
  ];
  const table: string[] = [];
  for (let i = 0; i < 256; i++) {
    const c = String.fromCharCode(i);
    table.push(/[A-Za-z0-9_.$]/.test(c) ? c : common.shift() ?? `~${i}`);
  }
  return table;
}

function compress(text: string, table: readonly string[]): number[] {
  const codes: number[] = [];
  for (let at = 0; at < text.length;) {
    let best = text.charCodeAt(at);
    table.forEach((token, code) => {
      if (
        token.length > table[best].length && text.startsWith(token, at)
      ) best = code;
    });
    codes.push(best);
    at += table[best].length;
  }
  return codes;
}

/** Encodes an image whose `_text` is at `textGva`. */
export function encodeImage(
  symbols: readonly FixtureSymbol[],
  textGva: bigint,
  layout: FixtureLayout,
): FixtureImage {
  const bytes = new Uint8Array(RODATA + 0x100000);
  const view = new DataView(bytes.buffer);
  const utf8 = new TextEncoder();
  bytes.set(utf8.encode("Linux version 6.6.6 (fixture)\n"), RODATA + BANNER);
  const find = (name: string) => symbols.find((s) => s.name === name);
  ["__x64_sys_read", "__x64_sys_write", "__x64_sys_open"].forEach((name, i) =>
    view.setBigUint64(RODATA + CALLS + 8 * i, find(name)?.address ?? 0n, true)
  );
  for (const { type, address } of symbols) {
    const at = Number(address - textGva);
    if (/[Tt]/.test(type) && at >= 0) bytes.set([0xf3, 0x0f, 0x1e, 0xfa], at);
  }

  const count = symbols.length;
  let at = RODATA + TABLES;
  const place = (size: number): number => {
    at = Math.ceil(at / layout.align) * layout.align;
    const here = at;
    at += size;
    return here;
  };
  const gva = (offset: number) => textGva + BigInt(offset);

  const relocatable = layout.encoding !== "place-relative";
  let offsetsAt = 0;
  let baseAt = 0;
  const placeOffsets = () => {
    offsetsAt = place(4 * count);
    if (relocatable) baseAt = place(8);
  };
  if (layout.offsetsFirst) placeOffsets();
  const numSyms = place(4);
  view.setUint32(numSyms, count, true);

  const table = tokens();
  const names = place(0);
  const markers: number[] = [];
  symbols.forEach(({ type, name }, i) => {
    if (i % 256 === 0) markers.push(at - names);
    const codes = compress(type + name, table);
    if (codes.length > 0x7f) {
      bytes[at++] = (codes.length & 0x7f) | 0x80;
      bytes[at++] = codes.length >> 7;
    } else bytes[at++] = codes.length;
    bytes.set(codes, at);
    at += codes.length;
  });
  const markersAt = place(4 * markers.length);
  markers.forEach((m, i) => view.setUint32(markersAt + 4 * i, m, true));
  if (layout.seqs) bytes.fill(1, place(3 * count), at);
  const tokenTable = place(0);
  const index: number[] = [];
  for (const token of table) {
    index.push(at - tokenTable);
    bytes.set(utf8.encode(token), at);
    at += token.length + 1;
  }
  const tokenIndex = place(512);
  index.forEach((v, i) => view.setUint16(tokenIndex + 2 * i, v, true));
  if (!layout.offsetsFirst) placeOffsets();
  symbols.forEach(({ address }, i) => {
    const here = offsetsAt + 4 * i;
    const relative = address - textGva;
    let value: bigint;
    if (layout.encoding === "place-relative") value = address - gva(here);
    else if (layout.encoding === "unsigned") value = relative;
    else value = address < 0x80000000n ? address : -relative - 1n;
    view.setInt32(here, Number(value), true);
  });
  if (relocatable) view.setBigUint64(baseAt, textGva, true);
  return {
    bytes,
    symbols,
    at: {
      names: gva(names),
      numSyms: gva(numSyms),
      tokenTable: gva(tokenTable),
      tokenIndex: gva(tokenIndex),
      offsets: gva(offsetsAt),
      ...(relocatable ? { relativeBase: gva(baseAt) } : {}),
    },
  };
}
