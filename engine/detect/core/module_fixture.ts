/**
 * Guests that load and unload modules while they are read, for tests.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import {
  listedModules,
  type ModuleView,
  readModule,
} from "../../kernel/objects/module_views.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import type { Report } from "../finding.ts";
import { CheckContext } from "./context.ts";

/** `enum module_state`. */
export const STATE = { live: 0, coming: 1, going: 2, unformed: 3 } as const;

const PAGE = 4096n;
/** Where the first module is loaded, and from there to the next. */
const FIRST = 0xffffffffc0100000n;
const STEP = 0x10000n;

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  module_layout: {
    size: 24,
    members: { base: [0, "u64"], size: [8, "u32"], text_size: [12, "u32"] },
  },
  rb_root: { size: 8, members: { rb_node: [0, "u64"] } },
  latch_tree_root: {
    size: 24,
    members: { seq: [0, "u64"], tree: [8, "rb_root[2]"] },
  },
  mod_tree_root: { size: 24, members: { root: [0, "latch_tree_root"] } },
  rb_node: {
    size: 24,
    members: {
      __rb_parent_color: [0, "u64"],
      rb_right: [8, "u64"],
      rb_left: [16, "u64"],
    },
  },
  mod_tree_node: {
    size: 56,
    members: { mod: [0, "u64"], node: [8, "rb_node[2]"] },
  },
  mod_kallsyms: { size: 16, members: { num_symtab: [8, "u32"] } },
  kobject: { size: 32, members: { entry: [8, "list_head"] } },
  module_kobject: {
    size: 48,
    members: { kobj: [0, "kobject"], mod: [32, "u64"] },
  },
  module: {
    size: 168,
    members: {
      state: [0, "u32"],
      list: [8, "list_head"],
      name: [24, "u64"],
      core_layout: [32, "module_layout"],
      init_layout: [56, "module_layout"],
      taints: [80, "u64"],
      sig_ok: [88, "u8"],
      mkobj: [96, "module_kobject"],
      kallsyms: [144, "u64"],
    },
  },
  kset: { size: 32, members: { list: [0, "list_head"] } },
}, [
  ["MODULE_STATE_LIVE", STATE.live],
  ["MODULE_STATE_COMING", STATE.coming],
  ["MODULE_STATE_GOING", STATE.going],
  ["MODULE_STATE_UNFORMED", STATE.unformed],
]);

/** Memory that calls `tick` before each read. */
class TickingMemory extends BufferMemory {
  tick: () => void = () => {};

  override view(): undefined {
    return undefined;
  }
  override read(gpa: number, into: Uint8Array): void {
    this.tick();
    super.read(gpa, into);
  }
}

/** A guest with a module list. */
export class ModuleGuest {
  readonly guest: FixtureGuest;
  readonly #memory: TickingMemory;
  readonly #head: bigint;
  readonly #sysfs: bigint;
  #tree: bigint | undefined;

  /** @param live whether it runs; a recording does not */
  constructor(live = true) {
    const made: TickingMemory[] = [];
    this.guest = new FixtureGuest(TYPES, {
      memory: (bytes) => {
        made.push(new TickingMemory(bytes, { live }));
        return made[0];
      },
    });
    this.#memory = made[0];
    this.#head = this.guest.image();
    this.guest.symbol("modules", this.#head);
    this.#link(this.#head, this.#head);
    this.#sysfs = this.guest.image(1);
  }

  /** Shows these modules in /sys/module, which is not there until then. */
  showInSysfs(...modules: readonly bigint[]): void {
    const { guest } = this;
    const kset = guest.create("kset");
    const entries = modules.map((gva) => {
      const entry = guest.create("module_kobject");
      guest.setU64(guest.at("module_kobject", entry, "mod"), gva);
      return guest.at("module_kobject", entry, "kobj.entry");
    });
    guest.link(guest.at("kset", kset, "list"), ...entries);
    guest.setU64(this.#sysfs, kset);
    guest.symbol("module_kset", this.#sysfs);
  }

  /** Shows these modules in the module tree, which is not there until then. */
  showInTree(...modules: readonly bigint[]): void {
    const { guest } = this;
    if (this.#tree === undefined) {
      this.#tree = guest.image(2);
      guest.symbol("mod_tree", this.#tree);
    }
    let link = guest.at("mod_tree_root", this.#tree, "root.tree[0]");
    let parent = 0n;
    guest.setU64(link, 0n);
    for (const gva of modules) {
      const entry = guest.create("mod_tree_node");
      guest.setU64(guest.at("mod_tree_node", entry, "mod"), gva);
      const node = guest.at("mod_tree_node", entry, "node");
      guest.setU64(guest.at("rb_node", node, "__rb_parent_color"), parent);
      guest.setU64(link, node);
      link = guest.at("rb_node", node, "rb_right");
      parent = node;
    }
  }

  /** Has a module be one that was built elsewhere, and not signed. */
  setUnsigned(gva: bigint): void {
    this.#set(this.#at(gva, "taints"), 1n << 12n | 1n << 13n);
    this.#set(this.#at(gva, "sig_ok"), 0n);
  }

  /** Says how many symbols a module has. */
  setSymbols(gva: bigint, count: number): void {
    const table = this.guest.create("mod_kallsyms");
    this.#set(table + 8n, BigInt(count));
    this.#set(this.#at(gva, "kallsyms"), table);
  }

  /** Gives a module memory for init code. */
  setInit(gva: bigint, size: bigint): void {
    this.#set(this.#at(gva, "init_layout.base"), size === 0n ? 0n : gva);
    this.#set(this.#at(gva, "init_layout.size"), size);
  }

  /** Has something done before each read of the guest's memory. */
  onRead(tick: () => void): void {
    this.#memory.tick = () => {
      // What it does reads memory as well.
      this.#memory.tick = () => {};
      tick();
      this.onRead(tick);
    };
  }

  #set(gva: bigint, value: bigint): void {
    const { gpa } = this.guest.space.translate(gva);
    this.guest.view.setBigUint64(gpa, value, true);
  }
  #get(gva: bigint): bigint {
    return this.guest.space.u64(gva);
  }
  #link(node: bigint, next: bigint): void {
    this.#set(node, next);
    this.#set(next + 8n, node);
  }
  #at(module: bigint, member: string): bigint {
    return this.guest.at("module", module, member);
  }

  /**
   * Loads a module into the `index`th place: a page of text, and one with its
   * `struct module`.
   *
   * @returns GVA of that
   */
  load(name: string, index: number, state: number = STATE.live): bigint {
    const base = FIRST + BigInt(index) * STEP;
    const gva = base + PAGE;
    for (const page of [base, gva]) {
      this.guest.alias(page, this.guest.allocate(4096, 4096));
    }
    this.#set(this.#at(gva, "state"), BigInt(state));
    new TextEncoder().encode(name).forEach((byte, i) => {
      const at = this.#at(gva, "name") + BigInt(i);
      this.guest.view.setUint8(this.guest.space.translate(at).gpa, byte);
    });
    this.#set(this.#at(gva, "core_layout.base"), base);
    this.#set(
      this.#at(gva, "core_layout.size"),
      2n * PAGE | PAGE << 32n,
    );
    this.#set(this.#at(gva, "sig_ok"), 1n);
    this.#set(this.#at(gva, "mkobj.mod"), gva);
    const last = this.#get(this.#head + 8n);
    this.#link(last, this.#at(gva, "list"));
    this.#link(this.#at(gva, "list"), this.#head);
    return gva;
  }

  /** Gives a module another state. */
  setState(gva: bigint, state: number): void {
    this.#set(this.#at(gva, "state"), BigInt(state));
  }

  /** Takes a module off the list. */
  unlink(gva: bigint): void {
    const node = this.#at(gva, "list");
    this.#link(this.#get(node + 8n), this.#get(node));
  }

  /** Takes a module's memory away: its text, and its `struct module`. */
  unmap(gva: bigint): void {
    this.guest.unmap(gva - PAGE);
    this.guest.unmap(gva);
  }

  /** Takes away the text alone. */
  unmapText(gva: bigint): void {
    this.guest.unmap(gva - PAGE);
  }

  /** Takes the end off the module list: it leads back to its first module. */
  loopList(): void {
    const first = this.#get(this.#head);
    this.#set(this.#get(this.#head + 8n), first);
  }

  /**
   * What a check is given now.
   *
   * @param hidden modules that lie in memory without being on the list
   * @param noCode the same of modules without code
   */
  context(
    hidden: readonly bigint[] = [],
    noCode: readonly bigint[] = [],
  ): CheckContext {
    const { kernel } = this.guest;
    const [modules, unlisted, codeless] = [
      listedModules(kernel),
      hidden,
      noCode,
    ].map((gvas) => gvas.map((gva) => readModule(kernel, gva)));
    const moduleAt = (gva: bigint): ModuleView | undefined =>
      modules.find(({ ranges }) =>
        ranges.some(({ start, end }) => gva >= start && gva < end)
      );
    return Object.create(CheckContext.prototype, {
      kernel: { value: kernel },
      code: { value: { modules, unlisted, codeless, moduleAt } },
      forget: { value: () => {} },
    });
  }
}

/** All that a check says, as lines. */
export class Said implements Report {
  readonly lines: string[] = [];

  finding({ summary }: Parameters<Report["finding"]>[0]): void {
    this.lines.push(`finding: ${summary}`);
  }
  unjudged(what: string): void {
    this.lines.push(`unjudged: ${what}`);
  }
  passing(what: string): void {
    this.lines.push(`passing: ${what}`);
  }
  gone({ where }: Parameters<Report["gone"]>[0]): void {
    this.lines.push(`gone: ${where}`);
  }
  known(text: string): void {
    this.lines.push(`known: ${text}`);
  }
  notRun(why: string): void {
    this.lines.push(`not run: ${why}`);
  }
  judged(count: number): void {
    this.lines.push(`judged: ${count}`);
  }
  part(what: string, body: () => void): void {
    try {
      body();
    } catch (error) {
      const unreadable = error instanceof KernelError ||
        error instanceof MemoryError;
      if (!unreadable) throw error;
      this.unjudged(what);
    }
  }
}
