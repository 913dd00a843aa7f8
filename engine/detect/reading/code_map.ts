/**
 * Determines whose code lies at an address: the kernel's, a module's, code that
 * the kernel generated, or none of these.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import {
  codeReserves,
  generatedCode,
} from "../../kernel/patching/generated_code.ts";
import type { GeneratedCode } from "../../kernel/patching/generated_code.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  listedModules,
  modulesInMemory,
  type ModuleView,
  readModules,
  symbolsOf,
} from "../../kernel/objects/module_views.ts";
import type { ModuleSymbols } from "../../kernel/symbols/module_symbols.ts";
import type { SymbolAt } from "../../kernel/symbols/symbols.ts";
import {
  coveredPart,
  type GvaRange,
  rangeAt,
} from "../../memory/gva_ranges.ts";
import type { Mappings } from "../../memory/page_tables.ts";

/** The owner of the code at an address. */
export type CodeKind =
  /** The kernel image's text. */
  | "kernel"
  /** The image's init text, which has been freed: nothing may point there. */
  | "freed init"
  /** Text of a module on the module list. */
  | "module"
  /** Text of a module that is not on the list. */
  | "hidden module"
  | "bpf"
  | "ftrace"
  | "kprobe"
  | "thunk"
  /** Code without an owner, or not code. */
  | "foreign"
  /**
   * Without an owner in the lists that a recording holds; some lists are
   * missing.
   */
  | "unread";

/** The code at an address. */
export interface CodeAt {
  readonly kind: CodeKind;
  readonly address: bigint;
  /** `name+0x12 [module]`, in the kernel's notation. */
  readonly name: string;
  /** The symbol's name alone, if there is a symbol. */
  readonly symbol: string | undefined;
  /** Distance from the symbol's start, in bytes. */
  readonly offset: number;
  /** The module it belongs to, including hidden ones. */
  readonly module: ModuleView | undefined;
}

/** A range of code and its owner. */
interface Owned {
  readonly start: bigint;
  readonly end: bigint;
  readonly kind: CodeKind;
  readonly module?: ModuleView;
  readonly generated?: GeneratedCode;
}

/** All code of one kernel, read at one moment. */
export class CodeMap {
  readonly kernel: Kernel;
  /** What is executable according to the page tables. */
  readonly pages: Mappings;
  /** The modules on the module list. */
  readonly modules: readonly ModuleView[];
  /** Modules whose struct lies in memory although they are not on the list. */
  readonly unlisted: readonly ModuleView[];
  /**
   * Others like these that name no code which can be executed, and lie in the
   * memory of no module that is listed: what is left of a module whose memory
   * was taken again lies in such.
   */
  readonly codeless: readonly ModuleView[];
  /** Code that the kernel's lists of such say that it has generated. */
  readonly generated: readonly GeneratedCode[];
  /** Memory reserved for generated code, as far as it is mapped. */
  readonly reserves: readonly GeneratedCode[];
  /**
   * Lists that a recording lacks, and why: an owner may be missing for that
   * reason.
   */
  readonly unread: readonly string[];
  readonly #owned: readonly Owned[];
  readonly #memory = new Map<ModuleView, readonly GvaRange[]>();
  readonly #hiddenSymbols = new Map<bigint, ModuleSymbols | undefined>();

  /**
   * Reads the page tables, the module list and the lists of generated code.
   *
   * @throws {KernelError | MemoryError} when they cannot be read.
   */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    kernel.live.refresh();
    this.pages = kernel.space.mappings(kernel.moduleRegion);
    this.modules = readModules(kernel, listedModules(kernel));
    const listed = new Set(this.modules.map(({ gva }) => gva));
    const off = readModules(
      kernel,
      modulesInMemory(kernel, this.pages.inRegion)
        .filter((gva) => !listed.has(gva)),
    );
    this.unlisted = off.filter(({ text }) =>
      text.some((range) => this.executable(range.start))
    );
    this.codeless = off.filter((module) =>
      !this.unlisted.includes(module) &&
      this.modules.every(({ ranges }) =>
        ranges.every(({ start, end }) =>
          module.gva < start || module.gva >= end
        )
      )
    );
    const unread: string[] = [];
    const book = <T>(read: () => T, none: T): T => {
      try {
        return read();
      } catch (error) {
        const lacks = error instanceof MemoryError ||
          error instanceof KernelError;
        // A running guest is read again; a recording will not change.
        if (kernel.memory.live || !lacks) throw error;
        if (!unread.includes(error.message)) unread.push(error.message);
        return none;
      }
    };
    const generated = book(() => generatedCode(kernel), []);
    this.generated = generated;
    this.reserves = book(() => codeReserves(kernel, generated), [])
      .flatMap((range) => this.#mapped(range, this.pages.inRegion));
    this.#owned = this.#readOwned(
      generated,
      book(() => booted(kernel) ? "freed init" : "kernel", "unread"),
    );
    this.unread = unread;
  }

  #readOwned(
    allGenerated: readonly GeneratedCode[],
    initText: CodeKind,
  ): Owned[] {
    const { symbols } = this.kernel;
    const owned: Owned[] = [];
    const image = (from: string, to: string, kind: CodeKind) => {
      const start = symbols.tryAddress(from);
      const end = symbols.tryAddress(to);
      if (start !== undefined && end !== undefined) {
        owned.push({ start, end, kind });
      }
    };
    image("_stext", "_etext", "kernel");
    image("_sinittext", "_einittext", initText);
    for (
      const [modules, kind] of [
        [this.modules, "module"],
        [this.unlisted, "hidden module"],
      ] as const
    ) {
      for (const module of modules) {
        for (const range of module.text) {
          owned.push(...this.#runs({ ...range, kind, module }));
        }
      }
    }
    for (const generated of allGenerated) {
      const { start, end, kind } = generated;
      owned.push(...this.#runs({ start, end, kind, generated }));
    }
    return owned.sort((a, b) => a.start < b.start ? -1 : 1);
  }

  /** The part of a range of code that can be executed. */
  #runs(owned: Owned): Owned[] {
    return this.#mapped(owned, this.pages.executable);
  }

  /**
   * The part of a range that its owner can have: it is mapped without a gap.
   * Whoever made a size larger than it is would own the code of others. (A
   * recording of a trace alone lacks page tables.)
   */
  #mapped<T extends GvaRange>(range: T, by: readonly GvaRange[]): T[] {
    if (this.pages.unread > 0 && !this.kernel.memory.live) return [range];
    const part = coveredPart(range, by);
    return part === undefined ? [] : [part];
  }

  /** A module's memory, as far as it is mapped without a gap. */
  memoryOf(module: ModuleView): readonly GvaRange[] {
    let memory = this.#memory.get(module);
    if (memory === undefined) {
      memory = module.ranges.flatMap((range) =>
        this.#mapped(range, this.pages.inRegion)
      );
      this.#memory.set(module, memory);
    }
    return memory;
  }

  /** A module's text, as far as it can be executed without a gap. */
  textOf({ text }: ModuleView): GvaRange[] {
    const page = BigInt(this.kernel.pageSize);
    return text.flatMap(({ start, end }) =>
      this.#mapped(
        { start, end: (end + page - 1n) / page * page },
        this.pages.executable,
      )
    );
  }

  /** Whether the page tables allow executing an address. */
  executable(gva: bigint): boolean {
    return rangeAt(this.pages.executable, gva) >= 0;
  }

  /** Whose code lies at a GVA. */
  at(gva: bigint): CodeAt {
    const index = rangeAt(this.#owned, gva);
    const owned = index < 0 ? undefined : this.#owned[index];
    const kind = owned?.kind ?? this.#unowned(gva);
    const symbol = this.#symbol(gva, owned);
    return {
      kind,
      address: gva,
      symbol: symbol?.name,
      offset: symbol?.offset ?? 0,
      module: owned?.module,
      name: symbol === undefined
        ? `${owned?.generated?.name ?? unnamed(kind, owned?.module)} at ${
          hex(gva)
        }`
        : shown(symbol),
    };
  }

  /** The name of whatever lies at a GVA, whether code or data. */
  nameOf(gva: bigint): string {
    const symbol = this.#symbol(gva, undefined);
    return symbol === undefined ? hex(gva) : shown(symbol);
  }

  /** The module whose memory contains a GVA, including hidden modules. */
  moduleAt(gva: bigint): ModuleView | undefined {
    const covers = (module: ModuleView) =>
      this.memoryOf(module).some(({ start, end }) => gva >= start && gva < end);
    return this.modules.find(covers) ?? this.unlisted.find(covers);
  }

  #symbol(gva: bigint, owned: Owned | undefined): SymbolAt | undefined {
    const known = this.kernel.symbols.lookup(gva);
    if (known !== undefined) return known;
    const module = owned?.module ?? this.moduleAt(gva);
    if (module === undefined) return undefined;
    if (!this.#hiddenSymbols.has(module.gva)) {
      this.#hiddenSymbols.set(module.gva, symbolsOf(this.kernel, module));
    }
    return this.#hiddenSymbols.get(module.gva)?.lookup(gva);
  }

  #unowned(gva: bigint): CodeKind {
    if (this.#isThunk(gva)) return "thunk";
    return this.unread.length > 0 && this.executable(gva)
      ? "unread"
      : "foreign";
  }

  /** Explains why the owner of `unread` code is unknown. */
  get whyUnread(): string {
    return `whose code it is cannot be told: ${this.unread.join("; ")}`;
  }

  /** Thunks that the kernel does not list fill pages of their own. */
  #isThunk(gva: bigint): boolean {
    if (!this.executable(gva)) return false;
    const { arch, pageSize, space } = this.kernel;
    try {
      const page = gva - gva % BigInt(pageSize);
      return arch.instructions.isThunkPage(space.bytes(page, pageSize));
    } catch (error) {
      if (error instanceof MemoryError) return false;
      throw error;
    }
  }
}

/** Formats `name+0x12 [module]`. */
function shown({ name, offset, module }: SymbolAt): string {
  return name + (offset === 0 ? "" : `+${hex(offset)}`) +
    (module === undefined ? "" : ` [${module}]`);
}

/** Code without a symbol: a module has a name even if its symbols are wiped. */
function unnamed(kind: CodeKind, module?: ModuleView): string {
  if (module !== undefined) return `${kind} ${module.name}`;
  return kind === "foreign" || kind === "unread" ? "unknown code" : kind;
}

/** Whether the kernel has finished booting, and thus freed its init code. */
function booted(kernel: Kernel): boolean {
  const at = kernel.symbols.tryAddress("system_state");
  const running = kernel.types.tryEnumerator("SYSTEM_RUNNING");
  return at === undefined || running === undefined ||
    kernel.space.u32(at) >= running;
}
