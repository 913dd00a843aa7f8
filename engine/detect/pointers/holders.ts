/**
 * What holds a word of memory: a variable, an object of a slab cache, a stack.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import type { CType } from "../../kernel/btf/c_type.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  type PageUse,
  PageUses,
  type SlabObject,
} from "../../kernel/objects/slab_objects.ts";
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "../core/context.ts";
import { memberAt } from "./members.ts";

/** What holds a word. */
export interface Holder {
  /** How its memory is used. */
  readonly use: PageUse["kind"] | "variable" | "per-CPU" | "vmalloc";
  /** Its name: `tcp_prot+0x68`, `struct sock 0x...: sk_data_ready`. */
  readonly where: string;
  /** GVA of the word. */
  readonly address: bigint;
  /** The object of a slab cache that it lies in. */
  readonly object?: SlabObject;
}

/** Caches that are not named after their struct. */
const STRUCTS: Readonly<Record<string, string>> = {
  filp: "file",
  sock_inode_cache: "socket_alloc",
  skbuff_head_cache: "sk_buff",
  names_cache: "",
};

/**
 * The parts of the image that are kept when the kernel has booted; what lies
 * between them is given to the allocator (free_initmem, mark_rodata_ro).
 */
const SECTIONS = [
  ["_stext", "_etext"],
  ["__start_rodata", "__end_rodata"],
  ["_sdata", "_edata"],
  ["__bss_start", "__start_bss_decrypted_unused"],
  ["__end_bss_decrypted", "__bss_stop"],
] as const;

/** Names what holds a word of physical memory. */
export class Holders {
  readonly #context: CheckContext;
  readonly #kernel: Kernel;
  readonly #uses: PageUses;
  readonly #image: { gva: bigint; gpa: number; bytes: number };
  readonly #sections: readonly GvaRange[];
  readonly #areas: readonly PerCpuArea[];
  readonly #wanted: ReadonlySet<number> | undefined;
  #vmalloc: ReadonlyMap<number, bigint> | undefined;
  #variables:
    | readonly { name: string; type: CType; at: bigint }[]
    | undefined;

  #perCpuSymbols: readonly PerCpuSymbol[] | undefined;

  /**
   * @param gpas what will be asked for; default: anything may be
   * @throws {KernelError | MemoryError} when memory cannot be told apart.
   */
  constructor(context: CheckContext, gpas?: readonly number[]) {
    const { kernel } = context;
    this.#wanted = gpas === undefined
      ? undefined
      : new Set(gpas.map((gpa) => Math.floor(gpa / kernel.pageSize)));
    this.#context = context;
    this.#kernel = kernel;
    this.#uses = new PageUses(kernel);
    const gva = kernel.symbols.address("_text");
    this.#image = {
      gva,
      gpa: kernel.space.translate(gva).gpa,
      bytes: Number(kernel.symbols.address("_end") - gva),
    };
    this.#areas = perCpuAreas(kernel);
    this.#sections = SECTIONS.flatMap(([from, to]) => {
      const start = kernel.symbols.tryAddress(from);
      const end = kernel.symbols.tryAddress(to);
      return start === undefined || end === undefined ? [] : [{ start, end }];
    });
  }

  /**
   * What holds the word at a GPA.
   *
   * @throws {MemoryError} when what describes the page cannot be read.
   */
  at(gpa: number): Holder {
    const past = gpa - this.#image.gpa;
    const direct = this.#uses.direct(gpa);
    const address = this.#image.gva + BigInt(past);
    const kept = past >= 0 && past < this.#image.bytes &&
      this.#sections.some(({ start, end }) =>
        address >= start && address < end
      );
    if (kept) {
      const where = this.#context.code.nameOf(address);
      return { use: "variable", where, address };
    }
    const percpu = this.#perCpu(direct);
    if (percpu !== undefined) return percpu;
    const { kind, object } = this.#uses.at(gpa);
    if (object !== undefined) {
      return {
        use: kind,
        where: this.#ofSlab(object),
        address: direct,
        object,
      };
    }
    // What page tables map page by page is in use, whatever is said of the page.
    const mapped = this.#inVmalloc(gpa);
    if (mapped !== undefined) {
      return { use: "vmalloc", where: hex(mapped), address: mapped };
    }
    return { use: kind, where: hex(direct), address: direct };
  }

  #perCpu(direct: bigint): Holder | undefined {
    const area = this.#areas[rangeAt(this.#areas, direct)];
    if (area === undefined) return undefined;
    const name = this.#perCpuName(BigInt.asUintN(64, direct - area.offset));
    return {
      use: "per-CPU",
      where: `${name} of CPU ${area.cpu}`,
      address: direct,
    };
  }

  #perCpuName(address: bigint): string {
    const { types, symbols } = this.#kernel;
    this.#variables ??= [...types.variables()].flatMap(({ name, type }) => {
      const at = symbols.tryAddress(name);
      return at === undefined ? [] : [{ name, type, at }];
    });
    const found = this.#variables.find(({ at, type }) =>
      address >= at && address < at + BigInt(type.size)
    );
    if (found === undefined) return this.#perCpuSymbol(address);
    const offset = Number(address - found.at);
    const member = memberAt(types, structName(found.type.name), offset);
    return member === undefined
      ? `${found.name}+${hex(offset)}`
      : `${found.name}.${member}`;
  }

  /** By symbols alone: the types of 5.10 describe no variables. */
  #perCpuSymbol(address: bigint): string {
    const { symbols } = this.#kernel;
    this.#perCpuSymbols ??= perCpuSymbols(symbols);
    const found = this.#perCpuSymbols.findLast(({ at }) => at <= address);
    return found === undefined
      ? `per-CPU variable ${hex(address)}`
      : `${found.name}+${hex(Number(address - found.at))}`;
  }

  #ofSlab({ cache, gva, offset, size, merged }: SlabObject): string {
    const struct = merged ? undefined : structOf(this.#kernel, cache, size);
    if (struct === undefined) return `${cache} ${hex(gva)}+${hex(offset)}`;
    const member = memberAt(this.#kernel.types, struct, offset);
    return `${struct} ${hex(gva)}: ${member ?? `+${hex(offset)}`}`;
  }

  /** GVA of a GPA in memory that is mapped page by page. */
  #inVmalloc(gpa: number): bigint | undefined {
    this.#vmalloc ??= vmallocPages(this.#kernel, this.#wanted);
    const { pageSize } = this.#kernel;
    const page = this.#vmalloc.get(Math.floor(gpa / pageSize));
    return page === undefined ? undefined : page + BigInt(gpa % pageSize);
  }
}

/** The area of one CPU's variables. */
interface PerCpuArea extends GvaRange {
  readonly cpu: number;
  /** Distance from the variables' symbols. */
  readonly offset: bigint;
}

/** The areas in the order of their places, which need not be that of CPUs. */
function perCpuAreas({ symbols, perCpuOffsets }: Kernel): PerCpuArea[] {
  const start = symbols.tryAddress("__per_cpu_start");
  const end = symbols.tryAddress("__per_cpu_end");
  if (start === undefined || end === undefined || end <= start) return [];
  return perCpuOffsets.map((offset, cpu) => ({
    cpu,
    offset,
    start: BigInt.asUintN(64, start + offset),
    end: BigInt.asUintN(64, end + offset),
  })).sort((a, b) => a.start < b.start ? -1 : 1);
}

/** The symbol of a per-CPU variable. */
interface PerCpuSymbol {
  readonly name: string;
  readonly at: bigint;
}

/** The symbols of per-CPU variables, in their order. */
function perCpuSymbols(symbols: Kernel["symbols"]): PerCpuSymbol[] {
  const end = symbols.tryAddress("__per_cpu_end");
  const found: PerCpuSymbol[] = [];
  if (end === undefined) return found;
  for (const name of symbols.glob("*")) {
    const at = symbols.tryAddress(name);
    if (at === undefined || at >= end) break;
    found.push({ name, at });
  }
  return found;
}

/** The name of a struct type without the word for it. */
function structName(type: string): string {
  return type.replace(/^(struct|union) /, "");
}

/** The struct that a cache holds, by its name and size. */
function structOf(
  { types }: Kernel,
  cache: string,
  size: number,
): string | undefined {
  const known = STRUCTS[cache];
  const stem = cache.replace(/_cache(p)?$/, "");
  const names = known === undefined
    ? [
      cache,
      stem,
      `${stem}_info`,
      `${cache}_info`,
      `${cache.toLowerCase()}_sock`,
      `${stem.replace(/_inode$/, "")}_inode_info`,
    ]
    : [known];
  return names.find((name) => {
    const layout = types.tryStruct(name);
    return layout !== undefined && layout.size <= size &&
      layout.size * 2 > size;
  });
}

/** Numbers of pages that are mapped in the region of vmalloc, with their GVAs. */
function vmallocPages(
  kernel: Kernel,
  wanted?: ReadonlySet<number>,
): ReadonlyMap<number, bigint> {
  const pages = new Map<number, bigint>();
  const region = kernel.arch.image.vmalloc(
    kernel.symbols,
    (gva) => kernel.space.u64(gva),
  );
  const { pageSize } = kernel;
  const regions = [kernel.moduleRegion];
  if (region !== undefined) regions.push(region);
  for (const one of regions) {
    kernel.space.mappings(one, (gva, gpa, size) => {
      for (let past = 0; past < size; past += pageSize) {
        if (past > 0) kernel.space.budget.node(gva);
        const page = (gpa + past) / pageSize;
        if (wanted?.has(page) === false) continue;
        pages.set(page, gva + BigInt(past));
      }
    });
  }
  return pages;
}
