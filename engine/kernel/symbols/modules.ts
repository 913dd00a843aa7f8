/**
 * Loaded modules and their symbols, read from the kernel's module list.
 *
 * Sources: kernel/module/kallsyms.c (find_kallsyms_symbol and the layout of
 * the tables), include/linux/module.h.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import {
  ascii,
  GuestBytes,
  type ReadGva,
  walkList,
} from "../../memory/guest_reader.ts";
import { type AddressRange, ModuleSymbols } from "./module_symbols.ts";
import type { Types } from "../btf/types.ts";

/** One loaded module. */
export interface KernelModule {
  readonly name: string;
  /** GVA of its `struct module`. */
  readonly gva: bigint;
  /** Value of `enum module_state`. */
  readonly state: number;
  /** All memory of the module, including its init parts while they exist. */
  readonly ranges: readonly AddressRange[];
  /** Its text. */
  readonly text: AddressRange;
  /** Its symbols as kallsyms sees them now. */
  readonly symbols: ModuleSymbols;
}

/**
 * Looks up a symbol's address by name; `undefined` when there is no such
 * symbol.
 */
export type AddressOf = (name: string) => bigint | undefined;

/** Offsets in `struct module`, from BTF. */
interface Layout {
  readonly size: number;
  readonly list: number;
  readonly name: number;
  readonly nameBytes: number;
  readonly state: number;
  readonly kallsyms: number;
  readonly buildId: number | undefined;
  readonly memory: readonly MemoryPart[];
  readonly unformed: number;
  readonly table: TableLayout;
}

/** Offsets in `struct mod_kallsyms`. */
interface TableLayout {
  readonly size: number;
  readonly symtab: number;
  readonly count: number;
  readonly strtab: number;
  /** Since 5.2 (1c7651f43777), as long as there is BTF. */
  readonly typetab: number;
}

/** Where `struct module` describes one part of a module's memory. */
interface MemoryPart {
  readonly base: number;
  readonly size: number;
  /** Where to read how much of the part is text. */
  readonly textSize?: number;
  readonly init: boolean;
}

function memoryParts(types: Types): MemoryPart[] {
  const parts: MemoryPart[] = [];
  // Since 6.4 (ac3b43283923): an array of struct module_memory, indexed by
  // purpose.
  const count = types.tryEnum("mod_mem_type")?.get("MOD_MEM_NUM_TYPES");
  if (count !== undefined && types.tryOffset("module", "mem") !== undefined) {
    const inits = new Set(
      ["MOD_INIT_TEXT", "MOD_INIT_DATA", "MOD_INIT_RODATA"]
        .map((name) => types.enumerator(name)),
    );
    const texts = new Set([
      types.enumerator("MOD_TEXT"),
      types.enumerator("MOD_INIT_TEXT"),
    ]);
    for (let i = 0; i < count; i++) {
      const size = types.offset("module", `mem[${i}].size`);
      parts.push({
        base: types.offset("module", `mem[${i}].base`),
        size,
        textSize: texts.has(i) ? size : undefined,
        init: inits.has(i),
      });
    }
    return parts;
  }
  for (const member of ["core_layout", "init_layout", "data_layout"]) {
    const base = types.tryOffset("module", `${member}.base`);
    if (base === undefined) continue;
    parts.push({
      base,
      size: types.offset("module", `${member}.size`),
      textSize: types.offset("module", `${member}.text_size`),
      init: member === "init_layout",
    });
  }
  if (parts.length === 0) {
    throw new KernelError(
      "struct module has neither mem[] nor core_layout: this kernel's modules are not understood",
    );
  }
  return parts;
}

function moduleLayout(types: Types): Layout {
  const name = types.struct("module").members.get("name");
  return {
    size: types.struct("module").size,
    list: types.offset("module", "list"),
    name: types.offset("module", "name"),
    nameBytes: name?.size ?? 0,
    state: types.offset("module", "state"),
    kallsyms: types.offset("module", "kallsyms"),
    buildId: types.tryOffset("module", "build_id"),
    memory: memoryParts(types),
    unformed: types.enumerator("MODULE_STATE_UNFORMED"),
    table: {
      size: types.struct("mod_kallsyms").size,
      symtab: types.offset("mod_kallsyms", "symtab"),
      count: types.offset("mod_kallsyms", "num_symtab"),
      strtab: types.offset("mod_kallsyms", "strtab"),
      typetab: types.offset("mod_kallsyms", "typetab"),
    },
  };
}

/**
 * The most symbols of all modules together: each module may claim many, and
 * anybody in the guest can put modules on the list.
 */
const MOST_SYMBOLS = 1 << 20;

/** A module as it was last read, with a fingerprint to recognize changes. */
interface Known {
  readonly print: string;
  readonly module: KernelModule;
}

/** The loaded modules of a running kernel. */
export class ModuleTable {
  readonly #read: ReadGva;
  readonly #head: bigint | undefined;
  readonly #layout: Layout | undefined;
  #known = new Map<bigint, Known>();
  #complete = true;

  /**
   * Reads nothing until {@linkcode refresh} is called.
   *
   * @throws {KernelError} when struct module is not understood.
   */
  constructor(read: ReadGva, addressOf: AddressOf, types: Types) {
    this.#read = read;
    this.#head = addressOf("modules");
    // A kernel built without modules has no module list.
    if (this.#head !== undefined) this.#layout = moduleLayout(types);
  }

  /** The modules, in the kernel's list order. */
  get modules(): KernelModule[] {
    return [...this.#known.values()].map(({ module }) => module);
  }

  /**
   * Whether the last {@linkcode refresh} saw every module: false when the list
   * was changing or is damaged.
   */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Reads the list again. Symbols are read only for modules that are new or
   * have changed (a module drops its init symbols once it is live). Returns
   * whether anything changed. Costs two small reads per module when nothing
   * did.
   */
  refresh(): boolean {
    const head = this.#head;
    const layout = this.#layout;
    if (head === undefined || layout === undefined) return false;
    const { nodes, complete } = walkList(this.#read, head);
    this.#complete = complete;
    const next = new Map<bigint, Known>();
    let changed = false;
    let room = MOST_SYMBOLS;
    for (const node of nodes) {
      const gva = node - BigInt(layout.list);
      const before = this.#known.get(gva);
      const known = this.#module(layout, gva, room, before);
      if (known === undefined) continue;
      next.set(gva, known);
      room -= known.module.symbols.table.count;
      if (known !== before) changed = true;
    }
    // A walk that failed half-way says nothing about the rest of the list:
    // modules that are unchanged in memory are still loaded.
    for (const [gva, before] of complete ? [] : this.#known) {
      if (
        !next.has(gva) && this.#module(layout, gva, room, before) === before
      ) {
        next.set(gva, before);
      }
    }
    if (next.size !== this.#known.size) changed = true;
    this.#known = next;
    return changed;
  }

  /**
   * Reads one module with at most `room` symbols; returns `before` when it has
   * not changed.
   */
  #module(
    layout: Layout,
    gva: bigint,
    room: number,
    before?: Known,
  ): Known | undefined {
    try {
      const at = new GuestBytes(this.#read, gva, layout.size);
      const state = at.u32(layout.state);
      // Not complete yet; kallsyms ignores it too.
      if (state === layout.unformed) return undefined;
      const name = ascii(at.text(layout.name, layout.nameBytes));
      const kallsyms = at.u64(layout.kallsyms);
      const table = new GuestBytes(this.#read, kallsyms, layout.table.size);
      const parts = layout.memory.map((part) => ({
        part,
        base: at.u64(part.base),
        size: at.u32(part.size),
        text: part.textSize === undefined ? 0 : at.u32(part.textSize),
      })).filter(({ base, size }) => base !== 0n && size !== 0);
      const buildId = layout.buildId === undefined
        ? ""
        : at.bytes.slice(layout.buildId, layout.buildId + 20).join();
      const print = [
        name,
        state,
        table.bytes.join(),
        buildId,
        ...parts.map(({ base, size, text }) => `${base} ${size} ${text}`),
      ].join("|");
      if (before?.print === print) return before;

      const range = ({ base, size }: { base: bigint; size: number }) => ({
        start: base,
        end: base + BigInt(size),
      });
      const code = (init: boolean): AddressRange | undefined => {
        const found = parts.find((p) => p.part.init === init && p.text > 0);
        return found && range({ base: found.base, size: found.text });
      };
      const ranges = parts.map(range);
      const count = table.u32(layout.table.count);
      if (count > room) {
        throw new KernelError(
          `the modules up to ${name} have too many symbols`,
        );
      }
      const symbols = ModuleSymbols.read(this.#read, {
        module: name,
        symtab: table.u64(layout.table.symtab),
        count,
        strtab: table.u64(layout.table.strtab),
        typetab: layout.table.typetab === undefined
          ? undefined
          : table.u64(layout.table.typetab),
        core: parts.filter((p) => !p.part.init).map(range),
        init: parts.filter((p) => p.part.init).map(range),
        coreText: code(false),
        initText: code(true),
      });
      const text = code(false) ?? { start: 0n, end: 0n };
      return { print, module: { name, gva, state, ranges, text, symbols } };
    } catch (error) {
      // The module was unloaded, or its init part freed, while it was being
      // read; or it is damaged, which must not cost other modules their names.
      if (!(error instanceof MemoryError || error instanceof KernelError)) {
        throw error;
      }
      this.#complete = false;
      return undefined;
    }
  }
}
