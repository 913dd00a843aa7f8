/**
 * The {@linkcode Symbols} of a running kernel: first those of its image (from
 * kallsyms, the cache or a System.map), then those of regions that come and go
 * (modules, BPF programs).
 *
 * Lookups give the answers of kallsyms_lookup (kernel/kallsyms.c), including
 * its choice among aliases: trace text made from them must equal the guest's
 * own.
 *
 * @module
 */
import { NameIndex } from "../../base/name_index.ts";
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { CodeWindow } from "./code_window.ts";
import { nameAt, type NameTable, type SymbolBlob } from "./symbol_blob.ts";
import { globNames, nearSymbols } from "./symbol_search.ts";
import type { SymbolAt, Symbols } from "./symbols.ts";

/** Symbols outside the kernel image: those of one module, or of BPF. */
export interface SymbolRegion {
  /** The name that `%ps` prints in brackets; `undefined`: no brackets. */
  readonly module?: string;
  /** Its symbols' names. */
  readonly table: NameTable;
  /** GVA of each of its symbols. */
  readonly addresses: BigUint64Array;
  /**
   * The symbol that the kernel would name for a GVA; `undefined` when the GVA
   * is outside the region.
   */
  lookup(gva: bigint): SymbolAt | undefined;
}

/** Names cached before the cache is cleared: more than any trace contains. */
const MAX_CACHED = 1 << 20;

/** A half-open range, in bytes from the code window's start. */
interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** All symbols of one running kernel. */
export class SymbolTable implements Symbols {
  readonly count: number;
  readonly #blob: SymbolBlob;
  readonly #window: CodeWindow;
  readonly #text: number;
  /**
   * Places of all symbols, ascending: bytes from the start of the code window;
   * for absolute symbols, their value.
   */
  readonly #low: Uint32Array;
  /** Addresses that is_ksym_addr accepts. */
  readonly #image: readonly CodeRange[];
  #index?: NameIndex;
  #regions: readonly SymbolRegion[] = [];
  readonly #regionIndex = new Map<SymbolRegion, NameIndex>();
  /** Names of addresses in the window in `%ps` form, by signed low half. */
  readonly #imageNames = new Map<number, string>();
  readonly #regionNames = new Map<number, string>();

  /**
   * @param blob The image's symbols.
   * @param textGva GVA of `_text` in the running kernel.
   */
  constructor(blob: SymbolBlob, textGva: bigint) {
    this.count = blob.count;
    this.#blob = blob;
    this.#window = new CodeWindow(textGva);
    this.#text = Number(textGva - this.#window.base);
    const low = new Uint32Array(blob.offsets.length);
    low.set(blob.offsets.subarray(0, blob.absolute));
    for (let i = blob.absolute; i < blob.count; i++) {
      low[i] = blob.offsets[i] + this.#text;
    }
    this.#low = low;
    this.#image = this.#imageRanges();
  }

  /** The symbol regions in the order in which they are searched. */
  get regions(): readonly SymbolRegion[] {
    return this.#regions;
  }

  /**
   * Replaces the symbols outside the image (modules, then BPF, in the kernel's
   * list order) and drops the names cached for them.
   */
  setRegions(regions: readonly SymbolRegion[]): void {
    this.#regions = regions;
    this.#regionNames.clear();
    for (const known of this.#regionIndex.keys()) {
      if (!regions.includes(known)) this.#regionIndex.delete(known);
    }
  }

  /**
   * GVA of the first symbol with that name in the image; modules are not
   * searched.
   */
  tryImageAddress(name: string): bigint | undefined {
    const index = this.#names().find(name);
    return index < 0 ? undefined : this.#addressAt(index);
  }

  tryAddress(name: string): bigint | undefined {
    const image = this.tryImageAddress(name);
    if (image !== undefined) return image;
    const [module, rest] = splitModule(name);
    for (const region of this.#regions) {
      if (module !== undefined && region.module !== module) continue;
      const found = this.#namesOf(region).find(rest);
      if (found >= 0) return region.addresses[found];
    }
    return undefined;
  }

  address(name: string): bigint {
    const address = this.tryAddress(name);
    if (address !== undefined) return address;
    const near = this.near(name, 3);
    const hint = near.length > 0 ? `; near: ${near.join(", ")}` : "";
    throw new KernelError(`the kernel has no symbol ${name}${hint}`);
  }

  addresses(name: string): bigint[] {
    const all = this.#names().all(name).map((i) => this.#addressAt(i));
    const [module, rest] = splitModule(name);
    for (const region of this.#regions) {
      if (module !== undefined && region.module !== module) continue;
      for (const i of this.#namesOf(region).all(rest)) {
        all.push(region.addresses[i]);
      }
    }
    return all;
  }

  lookup(gva: bigint): SymbolAt | undefined {
    if (this.#window.holds(gva)) {
      const low = Number(gva - this.#window.base);
      if (this.#inImage(low)) return this.#lookupImage(low);
    }
    for (const region of this.#regions) {
      const found = region.lookup(gva);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  name(lo: number, hi: number): string {
    if (this.#window.has(lo, hi)) {
      const key = lo | 0;
      const known = this.#imageNames.get(key) ?? this.#regionNames.get(key);
      if (known !== undefined) return known;
    }
    return this.#name(lo >>> 0, hi >>> 0);
  }

  near(name: string, limit = 5): string[] {
    const found = nearSymbols(this.#blob, name, limit);
    for (const region of this.#regions) {
      found.push(...nearSymbols(region.table, name, limit));
    }
    const names = found.sort((a, b) => a.score - b.score).map((n) => n.name);
    return [...new Set(names)].slice(0, limit);
  }

  glob(pattern: string): string[] {
    const names = globNames(this.#blob, pattern);
    const regions = [...this.#regions].sort((a, b) =>
      (a.addresses[0] ?? 0n) < (b.addresses[0] ?? 0n) ? -1 : 1
    );
    for (const region of regions) {
      names.push(...globNames(region.table, pattern));
    }
    return [...new Set(names)];
  }

  /**
   * All symbols as /proc/kallsyms would list them: those of the image, then
   * those of each region. For comparisons and listings, not for hot paths.
   */
  *entries(): Generator<
    { address: bigint; type: string; name: string; module?: string }
  > {
    for (let i = 0; i < this.count; i++) {
      yield {
        address: this.#addressAt(i),
        type: String.fromCharCode(this.#blob.types[i]),
        name: nameAt(this.#blob, i),
      };
    }
    for (const { table, addresses, module } of this.#regions) {
      for (let i = 0; i < table.count; i++) {
        yield {
          address: addresses[i],
          type: String.fromCharCode(table.types[i]),
          name: nameAt(table, i),
          module,
        };
      }
    }
  }

  #names(): NameIndex {
    return this.#index ??= indexOf(this.#blob);
  }

  #namesOf(region: SymbolRegion): NameIndex {
    let index = this.#regionIndex.get(region);
    if (index === undefined) {
      index = indexOf(region.table);
      this.#regionIndex.set(region, index);
    }
    return index;
  }

  #addressAt(index: number): bigint {
    const low = BigInt(this.#low[index]);
    return index < this.#blob.absolute ? low : this.#window.base + low;
  }

  /** Place of an image symbol; `undefined` when there is none. */
  #lowOf(name: string): number | undefined {
    const index = this.#names().find(name);
    return index < this.#blob.absolute ? undefined : this.#low[index];
  }

  /**
   * Computes the addresses that is_ksym_addr accepts
   * (include/linux/kallsyms.h).
   */
  #imageRanges(): CodeRange[] {
    const start = this.#lowOf("_stext") ?? this.#text;
    const end = this.#lowOf("_end");
    // The whole image with CONFIG_KALLSYMS_ALL, otherwise only its text.
    if (end !== undefined) return [{ start, end }];
    const ranges = [{ start, end: this.#lowOf("_etext") ?? start }];
    const init = this.#lowOf("_sinittext");
    const initEnd = this.#lowOf("_einittext");
    if (init !== undefined && initEnd !== undefined) {
      ranges.push({ start: init, end: initEnd });
    }
    return ranges;
  }

  #inImage(low: number): boolean {
    for (const { start, end } of this.#image) {
      if (low >= start && low < end) return true;
    }
    return false;
  }

  /** Like get_symbol_pos: the first of several symbols at one address. */
  #indexFor(low: number): number {
    const all = this.#low;
    let from = this.#blob.absolute;
    let to = all.length;
    while (to - from > 1) {
      const middle = (from + to) >>> 1;
      if (all[middle] <= low) from = middle;
      else to = middle;
    }
    while (from > this.#blob.absolute && all[from - 1] === all[from]) from--;
    return from;
  }

  #lookupImage(low: number): SymbolAt {
    const all = this.#low;
    const index = this.#indexFor(low);
    const start = all[index];
    let next = index + 1;
    while (next < all.length && all[next] === start) next++;
    const end = next < all.length
      ? all[next]
      : this.#image.find((r) => low >= r.start && low < r.end)?.end ?? start;
    return {
      name: nameAt(this.#blob, index),
      address: this.#window.base + BigInt(start),
      offset: low - start,
      size: end - start,
    };
  }

  /** Computes {@linkcode name} without the cache. */
  #name(lo: number, hi: number): string {
    const inWindow = this.#window.has(lo, hi);
    const place = this.#window.offset(lo);
    if (inWindow && this.#inImage(place)) {
      const name = nameAt(this.#blob, this.#indexFor(place));
      if (this.#imageNames.size >= MAX_CACHED) this.#imageNames.clear();
      this.#imageNames.set(lo | 0, name);
      return name;
    }
    const gva = BigInt(hi) << 32n | BigInt(lo);
    const found = this.lookup(gva);
    const module = found?.module === undefined ? "" : ` [${found.module}]`;
    const name = found === undefined ? hex(gva) : found.name + module;
    if (inWindow) {
      if (this.#regionNames.size >= MAX_CACHED) this.#regionNames.clear();
      this.#regionNames.set(lo | 0, name);
    }
    return name;
  }
}

/** Splits `module:name`, the syntax of kallsyms_lookup_name. */
function splitModule(name: string): [string | undefined, string] {
  const colon = name.indexOf(":");
  if (colon < 0) return [undefined, name];
  return [name.slice(0, colon), name.slice(colon + 1)];
}

function indexOf({ count, names, starts }: NameTable): NameIndex {
  return new NameIndex({
    bytes: names,
    starts: starts.subarray(0, count),
    ends: starts.subarray(1, count + 1),
  });
}
