import assert from "node:assert/strict";
import { MemoryError } from "../../base/errors.ts";
import { LiveSymbols } from "./live_symbols.ts";
import { MODULE_AT, moduleTypes } from "./modules_fixture.ts";
import { SymbolTable } from "./symbol_table.ts";
import { parseSystemMap } from "./system_map.ts";
import type { ReadGva } from "../../memory/guest_reader.ts";

const { list: LIST, name: NAME, kallsyms: KALLSYMS, core: CORE, parts: PARTS } =
  MODULE_AT;
const BASE = 0xffffffffc0000000n;
const IMAGE = 0xffffffff81000000n;
const HEADS = IMAGE + 0x10000n;

/** Sparse memory of 4 KiB pages, which are mapped on the first write. */
class Pages {
  readonly #pages = new Map<bigint, Uint8Array>();

  readonly read: ReadGva = (gva, into) => {
    for (let i = 0; i < into.length; i++) {
      const at = gva + BigInt(i);
      const page = this.#pages.get(at >> 12n);
      if (page === undefined) {
        throw new MemoryError("paging", at, "not mapped");
      }
      into[i] = page[Number(at & 0xfffn)];
    }
  };

  write(gva: bigint, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const at = gva + BigInt(i);
      let page = this.#pages.get(at >> 12n);
      if (page === undefined) {
        page = new Uint8Array(4096);
        this.#pages.set(at >> 12n, page);
      }
      page[Number(at & 0xfffn)] = bytes[i];
    }
  }

  u64(gva: bigint, value: bigint): void {
    this.write(gva, new Uint8Array(BigUint64Array.of(value).buffer));
  }

  u32(gva: bigint, value: number): void {
    this.write(gva, new Uint8Array(Uint32Array.of(value).buffer));
  }

  text(gva: bigint, value: string): void {
    this.write(gva, new TextEncoder().encode(value + "\0"));
  }

  unmap(gva: bigint): void {
    this.#pages.delete(gva >> 12n);
  }
}

interface Sym {
  readonly name: string;
  readonly at: bigint;
  readonly undefined?: boolean;
}

/** A guest with empty lists, into which the tests load modules and programs. */
class Guest {
  readonly pages = new Pages();
  readonly #heads = {
    modules: HEADS,
    bpf_kallsyms: HEADS + 0x10n,
    ftrace_mod_maps: HEADS + 0x20n,
  };
  readonly table: SymbolTable;
  readonly live: LiveSymbols;

  constructor(readonly kind: "core_layout" | "mem") {
    const map = [
      "ffffffff81000000 T _text",
      "ffffffff81000000 T _stext",
      "ffffffff81000040 T schedule",
      "ffffffff81008000 T _etext",
      ...Object.entries(this.#heads).map(([name, at]) =>
        `${at.toString(16)} d ${name}`
      ),
      "ffffffff81020000 B _end",
    ];
    this.table = new SymbolTable(parseSystemMap(map.join("\n"), "map"), IMAGE);
    for (const head of Object.values(this.#heads)) this.link(head, []);
    this.live = new LiveSymbols(this.table, this.pages.read, moduleTypes(kind));
  }

  /** Links the nodes into a circular list with this head. */
  link(head: bigint, nodes: readonly bigint[]): void {
    [head, ...nodes].forEach((node, i, all) =>
      this.pages.u64(node, all[(i + 1) % all.length])
    );
  }

  list(name: "modules" | "bpf_kallsyms" | "ftrace_mod_maps", nodes: bigint[]) {
    this.link(this.#heads[name], nodes);
  }

  /** Writes a struct module and everything it refers to at `gva`. */
  module(
    gva: bigint,
    name: string,
    symbols: readonly Sym[],
    { state = 0, init = false } = {},
  ): bigint {
    const { pages } = this;
    const core = gva + 0x1000n;
    pages.u32(gva, state);
    pages.text(gva + BigInt(NAME), name);
    pages.u64(gva + BigInt(KALLSYMS), gva + BigInt(CORE));
    const part = (i: number, base: bigint, size: number, text: number) => {
      const at = gva + BigInt(PARTS + 16 * i);
      pages.u64(at, base);
      pages.u32(at + 8n, size);
      if (this.kind === "core_layout") pages.u32(at + 12n, text);
    };
    if (this.kind === "mem") {
      part(0, core, 0x1000, 0);
      part(1, core + 0x1000n, 0x1000, 0);
      part(2, init ? core + 0x4000n : 0n, init ? 0x1000 : 0, 0);
      part(3, 0n, 0, 0);
      part(4, 0n, 0, 0);
    } else {
      part(0, core, 0x2000, 0x1000);
      part(1, init ? core + 0x4000n : 0n, init ? 0x1000 : 0, 0x1000);
    }
    // ELF symbol tables start with an unnamed symbol.
    const symtab = gva + 0x2000n;
    const strtab = gva + 0x2800n;
    pages.write(symtab, new Uint8Array(24));
    pages.write(strtab, new Uint8Array(1));
    pages.text(gva + 0x2c00n, "?" + "t".repeat(symbols.length));
    let string = 1;
    symbols.forEach((symbol, i) => {
      const at = symtab + BigInt(24 * (i + 1));
      pages.u32(at, string);
      pages.u32(at + 4n, symbol.undefined ? 0 : 1 << 16);
      pages.u64(at + 8n, symbol.at);
      pages.text(strtab + BigInt(string), symbol.name);
      string += symbol.name.length + 1;
    });
    const table = gva + BigInt(CORE);
    pages.u64(table, symtab);
    pages.u32(table + 8n, symbols.length + 1);
    pages.u64(table + 16n, strtab);
    pages.u64(table + 24n, gva + 0x2c00n);
    return gva + BigInt(LIST);
  }

  name(gva: bigint): string {
    return this.table.name(Number(gva & 0xffffffffn), Number(gva >> 32n));
  }
}

for (const kind of ["core_layout", "mem"] as const) {
  Deno.test(`modules come and go (${kind})`, () => {
    const guest = new Guest(kind);
    assert.equal(guest.live.refresh(), false);
    const text = BASE + 0x1000n;
    const ext4 = guest.module(BASE, "ext4", [
      { name: "ext4_open", at: text + 0x10n },
      { name: "ext4_alias", at: text + 0x10n },
      { name: "missing", at: text + 0x18n, undefined: true },
      { name: ".Lmark", at: text + 0x1cn },
      { name: "ext4_close", at: text + 0x40n },
      { name: "ext4_data", at: text + 0x1020n },
    ]);
    guest.list("modules", [ext4]);
    assert.equal(guest.name(text + 0x10n), `0x${(text + 0x10n).toString(16)}`);
    assert.equal(guest.live.refresh(), true);
    assert.equal(guest.live.refresh(), false);
    assert.equal(guest.live.complete, true);
    assert.deepEqual(guest.live.modules.map(({ name }) => name), ["ext4"]);
    assert.equal(guest.name(text + 0x20n), "ext4_open [ext4]");
    assert.deepEqual(guest.table.lookup(text + 0x20n), {
      name: "ext4_open",
      address: text + 0x10n,
      offset: 0x10,
      size: 0x30,
      module: "ext4",
    });
    // The last function extends to the end of the module's text.
    assert.equal(guest.table.lookup(text + 0x48n)?.size, 0xfc0);
    assert.equal(guest.name(text + 0x1030n), "ext4_data [ext4]");
    // Before the first symbol, and outside the module.
    assert.equal(guest.table.lookup(text + 4n), undefined);
    assert.equal(guest.table.lookup(text + 0x2000n), undefined);
    assert.equal(guest.table.tryAddress("ext4_close"), text + 0x40n);
    assert.equal(guest.table.tryAddress("ext4:ext4_close"), text + 0x40n);
    assert.equal(guest.table.tryAddress("missing"), undefined);

    const second = guest.module(BASE + 0x10000n, "vfat", [
      { name: "vfat_open", at: BASE + 0x11000n },
    ]);
    guest.list("modules", [second, ext4]);
    assert.equal(guest.live.refresh(), true);
    assert.equal(guest.name(BASE + 0x11000n), "vfat_open [vfat]");
    assert.equal(guest.name(text + 0x20n), "ext4_open [ext4]");

    guest.list("modules", [second]);
    assert.equal(guest.live.refresh(), true);
    assert.equal(guest.table.lookup(text + 0x20n), undefined);
    assert.equal(guest.table.tryAddress("ext4_close"), undefined);
  });

  Deno.test(`a module's init part has symbols while it exists (${kind})`, () => {
    const guest = new Guest(kind);
    const init = BASE + 0x5000n;
    const symbols = [
      { name: "work", at: BASE + 0x1010n },
      { name: "setup", at: init + 0x10n },
    ];
    const options = { state: 1, init: true };
    guest.list("modules", [guest.module(BASE, "m", symbols, options)]);
    guest.live.refresh();
    assert.equal(guest.name(init + 0x20n), "setup [m]");
    guest.module(BASE, "m", symbols.slice(0, 1));
    assert.equal(guest.live.refresh(), true);
    assert.equal(guest.table.lookup(init + 0x20n), undefined);
    assert.equal(guest.name(BASE + 0x1010n), "work [m]");
  });
}

Deno.test("a module that is not formed yet is ignored", () => {
  const guest = new Guest("mem");
  const node = guest.module(BASE, "half", [], { state: 3 });
  guest.list("modules", [node]);
  assert.equal(guest.live.refresh(), false);
  assert.deepEqual(guest.live.modules, []);
});

Deno.test("memory that vanishes while it is being read is not a failure", () => {
  const guest = new Guest("mem");
  const good = guest.module(BASE, "good", [{ name: "g", at: BASE + 0x1000n }]);
  const gone = guest.module(BASE + 0x10000n, "gone", [
    { name: "x", at: BASE + 0x11000n },
  ]);
  guest.list("modules", [good, gone]);
  guest.pages.unmap(BASE + 0x12000n);
  assert.equal(guest.live.refresh(), true);
  assert.equal(guest.live.complete, false);
  assert.deepEqual(guest.live.modules.map(({ name }) => name), ["good"]);
  // A list that leads to unmapped memory, one that never ends, a damaged table.
  guest.pages.u64(good, 0x1000n);
  guest.live.refresh();
  assert.equal(guest.live.complete, false);
  guest.pages.u64(good, good);
  guest.live.refresh();
  assert.equal(guest.live.complete, false);
  assert.deepEqual(guest.live.modules.map(({ name }) => name), ["good"]);
  guest.list("modules", [good]);
  guest.live.refresh();
  assert.equal(guest.live.complete, true);
  guest.pages.u32(BASE + BigInt(CORE) + 8n, 0xffffffff);
  guest.live.refresh();
  assert.equal(guest.live.complete, false);
});

Deno.test("modules after a break in the list are kept", () => {
  const guest = new Guest("mem");
  const first = guest.module(BASE, "first", []);
  const second = guest.module(BASE + 0x10000n, "second", []);
  guest.list("modules", [first, second]);
  guest.live.refresh();
  guest.pages.u64(first, 0x1000n);
  assert.equal(guest.live.refresh(), false);
  assert.deepEqual(guest.live.modules.map(({ name }) => name), [
    "first",
    "second",
  ]);
});

Deno.test("BPF programs have symbols without a module", () => {
  const guest = new Guest("mem");
  const ksym = BASE + 0x20000n;
  const code = BASE + 0x30000n;
  guest.pages.u64(ksym, code);
  guest.pages.u64(ksym + 8n, code + 0x80n);
  guest.pages.text(ksym + 16n, "bpf_prog_a04f_watch");
  guest.list("bpf_kallsyms", [ksym + 48n]);
  assert.equal(guest.live.refresh(), true);
  assert.equal(guest.live.refresh(), false);
  assert.equal(guest.name(code + 4n), "bpf_prog_a04f_watch");
  assert.equal(guest.table.lookup(code + 0x80n), undefined);
  guest.list("bpf_kallsyms", []);
  assert.equal(guest.live.refresh(), true);
  assert.equal(guest.table.lookup(code), undefined);
});

Deno.test("traced functions of freed init parts keep their names", () => {
  const guest = new Guest("mem");
  const mod = guest.module(BASE, "m", [{ name: "work", at: BASE + 0x1000n }]);
  guest.list("modules", [mod]);
  const map = BASE + 0x40000n;
  const func = map + 0x100n;
  const ip = BASE + 0x5000n;
  guest.pages.u64(map + 16n, BASE);
  guest.link(map + 24n, [func]);
  guest.pages.text(map + 0x200n, "m_init");
  guest.pages.u64(func + 16n, map + 0x200n);
  guest.pages.u64(func + 24n, ip);
  guest.pages.u32(func + 32n, 0x40);
  guest.list("ftrace_mod_maps", [map]);
  assert.equal(guest.live.refresh(), true);
  assert.equal(guest.name(ip + 8n), "m_init [m]");
});
