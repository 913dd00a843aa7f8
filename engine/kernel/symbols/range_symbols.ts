/**
 * Symbols that the kernel keeps as address ranges: BPF programs and
 * trampolines, and traced functions in the freed init parts of modules.
 *
 * Sources: kernel/bpf/core.c (bpf_kallsyms), kernel/trace/ftrace.c
 * (ftrace_mod_maps).
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import {
  ascii,
  GuestBytes,
  type ReadGva,
  readUpTo,
  terminated,
  walkList,
} from "../../memory/guest_reader.ts";
import type { AddressOf } from "./modules.ts";
import { type NameTable, nameTable } from "./symbol_blob.ts";
import type { SymbolRegion } from "./symbol_table.ts";
import type { SymbolAt } from "./symbols.ts";
import type { Types } from "../btf/types.ts";

/** A named range of GVAs. */
export interface NamedRange {
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

/** Type letter `t` (text), which the kernel gives these symbols. */
const TEXT = 0x74;

/** Symbols that are ranges; a GVA outside them has no symbol. */
export class RangeSymbols implements SymbolRegion {
  readonly module?: string;
  readonly table: NameTable;
  readonly addresses: BigUint64Array;
  readonly #ranges: readonly NamedRange[];

  /** @param ranges In the kernel's list order; the first match is used. */
  constructor(ranges: readonly NamedRange[], module?: string) {
    this.module = module;
    this.#ranges = ranges;
    const encoder = new TextEncoder();
    this.table = nameTable(
      ranges.map(({ name }) => encoder.encode(name)),
      new Uint8Array(ranges.length).fill(TEXT),
    );
    this.addresses = BigUint64Array.from(ranges, ({ start }) => start);
  }

  lookup(gva: bigint): SymbolAt | undefined {
    const found = this.#ranges.find((r) => gva >= r.start && gva < r.end);
    return found && {
      name: found.name,
      address: found.start,
      offset: Number(gva - found.start),
      size: Number(found.end - found.start),
      module: this.module,
    };
  }
}

/** The symbols of BPF programs and trampolines, in list order. */
export function readBpfSymbols(
  read: ReadGva,
  addressOf: AddressOf,
  types: Types,
): NamedRange[] {
  const head = addressOf("bpf_kallsyms");
  const layout = types.tryStruct("bpf_ksym");
  const [list, start, end] = ["lnode", "start", "end"]
    .map((member) => types.tryOffset("bpf_ksym", member));
  const name = types.tryMember("bpf_ksym", "name");
  // Outputs that show names refuse such a kernel: checkNameLists.
  if (
    head === undefined || layout === undefined || list === undefined ||
    start === undefined || end === undefined || name === undefined
  ) return [];
  const found: NamedRange[] = [];
  for (const node of walkList(read, head).nodes) {
    unlessGone(() => {
      const at = new GuestBytes(read, node - BigInt(list), layout.size);
      found.push({
        name: ascii(at.text(name.offset, name.size)),
        start: at.u64(start),
        end: at.u64(end),
      });
    });
  }
  return found;
}

/** Traced functions in freed init parts, by module. */
export function readFreedInitSymbols(
  read: ReadGva,
  addressOf: AddressOf,
  types: Types,
): { module: string; ranges: NamedRange[] }[] {
  const head = addressOf("ftrace_mod_maps");
  const map = types.tryStruct("ftrace_mod_map");
  const func = types.tryStruct("ftrace_mod_func");
  const moduleName = types.tryMember("module", "name");
  const [mapList, mapMod, mapFuncs] = ["list", "mod", "funcs"]
    .map((member) => types.tryOffset("ftrace_mod_map", member));
  const [funcList, funcIp, funcName, funcSize] = ["list", "ip", "name", "size"]
    .map((member) => types.tryOffset("ftrace_mod_func", member));
  // As above.
  if (
    head === undefined || map === undefined || func === undefined ||
    moduleName === undefined || mapList === undefined ||
    mapMod === undefined || mapFuncs === undefined || funcList === undefined ||
    funcIp === undefined || funcName === undefined || funcSize === undefined
  ) return [];
  const found: { module: string; ranges: NamedRange[] }[] = [];
  for (const node of walkList(read, head).nodes) {
    unlessGone(() => {
      const gva = node - BigInt(mapList);
      const at = new GuestBytes(read, gva, map.size);
      const mod = at.u64(mapMod);
      const funcs = gva + BigInt(mapFuncs);
      const ranges: NamedRange[] = [];
      for (const entry of walkList(read, funcs).nodes) {
        const one = new GuestBytes(read, entry - BigInt(funcList), func.size);
        const ip = one.u64(funcIp);
        const name = one.u64(funcName);
        const size = one.u32(funcSize);
        ranges.push({
          name: ascii(terminated(readUpTo(read, name, 512), 0)),
          start: ip,
          end: ip + BigInt(size),
        });
      }
      const { offset, size } = moduleName;
      const owner = new GuestBytes(read, mod, offset + size);
      found.push({ module: ascii(owner.text(offset, size)), ranges });
    });
  }
  return found;
}

/** Skips an entry that is freed while it is being read. */
function unlessGone(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
  }
}
