/**
 * Keeps a {@linkcode SymbolTable} up to date as the guest loads and unloads
 * modules and BPF programs.
 *
 * @module
 */
import { type KernelModule, ModuleTable } from "./modules.ts";
import {
  type NamedRange,
  RangeSymbols,
  readBpfSymbols,
  readFreedInitSymbols,
} from "./range_symbols.ts";
import type { SymbolRegion, SymbolTable } from "./symbol_table.ts";
import type { Types } from "../btf/types.ts";
import type { ReadGva } from "../../memory/guest_reader.ts";

/** The table that is kept up to date. */
export type KeptTable = Pick<SymbolTable, "tryImageAddress" | "setRegions">;

/** The symbols of a running kernel that come and go. */
export class LiveSymbols {
  readonly #table: KeptTable;
  readonly #read: ReadGva;
  readonly #types: Types;
  readonly #modules: ModuleTable;
  #ranges: readonly RangeSymbols[] = [];
  #print = "";

  /**
   * Reads nothing until {@linkcode refresh} is called.
   *
   * @param table Receives the symbols of modules and BPF programs at each
   * refresh.
   * @param read Reads the running kernel's memory.
   * @throws {KernelError} when this kernel's modules are not understood.
   */
  constructor(table: KeptTable, read: ReadGva, types: Types) {
    this.#table = table;
    this.#read = read;
    this.#types = types;
    this.#modules = new ModuleTable(
      read,
      (name) => table.tryImageAddress(name),
      types,
    );
  }

  /** The modules as of the last refresh, in the kernel's list order. */
  get modules(): KernelModule[] {
    return this.#modules.modules;
  }

  /** Whether the last refresh saw every module. */
  get complete(): boolean {
    return this.#modules.complete;
  }

  /**
   * Finds out what the guest has loaded and unloaded since the last call, and
   * returns whether anything changed. Cheap when nothing did.
   *
   * @throws {MemoryError} only when the guest's memory can no longer be read at
   * all.
   */
  refresh(): boolean {
    const modules = this.#modules.refresh();
    const ranges = this.#refreshRanges();
    if (!modules && !ranges) return false;
    // The order in which kallsyms_lookup searches.
    const regions: SymbolRegion[] = this.modules.map((m) => m.symbols);
    regions.push(...this.#ranges);
    this.#table.setRegions(regions);
    return true;
  }

  #refreshRanges(): boolean {
    const addressOf = (name: string) => this.#table.tryImageAddress(name);
    const bpf = readBpfSymbols(this.#read, addressOf, this.#types);
    const freed = readFreedInitSymbols(this.#read, addressOf, this.#types);
    const print = [
      ...bpf.map(printed),
      ...freed.map((f) => `${f.module} ${f.ranges.map(printed).join()}`),
    ].join();
    if (print === this.#print) return false;
    this.#print = print;
    this.#ranges = [
      new RangeSymbols(bpf),
      ...freed.map(({ module, ranges }) => new RangeSymbols(ranges, module)),
    ];
    return true;
  }
}

function printed({ name, start, end }: NamedRange): string {
  return `${name} ${start} ${end}`;
}
