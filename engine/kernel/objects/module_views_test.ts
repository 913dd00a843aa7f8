import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import {
  listedModules,
  modulesInMemory,
  readModule,
  readModules,
  sysfsModules,
  treeModules,
} from "./module_views.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  module_layout: {
    size: 24,
    members: { base: [0, "u64"], size: [8, "u32"], text_size: [12, "u32"] },
  },
  module_kobject: { size: 16, members: { mod: [8, "u64"] } },
  module: {
    size: 160,
    members: {
      state: [0, "u32"],
      list: [8, "list_head"],
      mkobj: [24, "module_kobject"],
      name: [40, "u64"],
      core_layout: [96, "module_layout"],
      init_layout: [120, "module_layout"],
      taints: [144, "u64"],
      sig_ok: [152, "u8"],
    },
  },
});

const PAGE = 4096n;
/** Where modules are loaded. */
const REGION = 0xffffffffc0100000n;

/** A guest with three pages for modules, mapped one after another. */
class MemoryGuest extends FixtureGuest {
  constructor() {
    super(TYPES);
    for (let page = 0n; page < 3n; page++) {
      this.alias(REGION + page * PAGE, this.allocate(4096, 4096));
    }
  }

  /** Writes a `struct module` that points to itself. */
  module(gva: bigint, name: string): bigint {
    this.setU64(this.at("module", gva, "mkobj.mod"), gva);
    new TextEncoder().encode(name).forEach((byte, i) => {
      const at = this.at("module", gva, "name") + BigInt(i);
      this.view.setUint8(this.gpa(at), byte);
    });
    return gva;
  }

  /** What looks like a module in the three pages. */
  found(writable = true): bigint[] {
    const range = { start: REGION, end: REGION + 3n * PAGE, writable };
    return modulesInMemory(this.kernel, [range]);
  }
}

Deno.test("whatever points to itself and has a module's name is found in memory", () => {
  const guest = new MemoryGuest();
  assert.deepEqual(guest.found(), []);
  const modules = [
    guest.module(REGION, "first"),
    guest.module(REGION + PAGE - 80n, "across_two-pages.1"),
    // The last place that has room for one.
    guest.module(REGION + 3n * PAGE - 160n, "x"),
  ];
  assert.deepEqual(guest.found(), modules);
  // Modules' data is writable; their code is not.
  assert.deepEqual(guest.found(false), []);
});

Deno.test("a word that happens to point there, or a name that is none, is no module", () => {
  for (const name of ["", "no module", "\x1b[2J", "a".repeat(56)]) {
    const guest = new MemoryGuest();
    guest.module(REGION + 64n, name);
    assert.deepEqual(guest.found(), [], JSON.stringify(name));
  }
  const guest = new MemoryGuest();
  guest.module(REGION, "moved");
  guest.setU64(guest.at("module", REGION, "mkobj.mod"), REGION + 8n);
  assert.deepEqual(guest.found(), []);
});

Deno.test("a page that is gone hides no module in the pages beside it", () => {
  const guest = new MemoryGuest();
  const first = guest.module(REGION + 64n, "first");
  guest.module(REGION + PAGE + 64n, "gone");
  const last = guest.module(REGION + 2n * PAGE + 64n, "last");
  guest.unmap(REGION + PAGE);
  assert.deepEqual(guest.found(), [first, last]);
});

Deno.test("a module's memory, and whether the kernel vouches for it", () => {
  const guest = new MemoryGuest();
  const gva = guest.module(REGION, "loop");
  const set = (path: string, value: bigint | number) =>
    guest.setU64(guest.at("module", gva, path), value);
  set("core_layout.base", REGION + PAGE);
  set("core_layout.size", 0x800n << 32n | 0x1000n);
  set("sig_ok", 1);
  const { name, text, ranges, vouched } = readModule(guest.kernel, gva);
  const start = REGION + PAGE;
  assert.deepEqual([name, vouched], ["loop", true]);
  assert.deepEqual(text, [{ start, end: start + 0x800n }]);
  assert.deepEqual(ranges, [{ start, end: start + 0x1000n }]);
  set("taints", 1n << 12n | 1n << 5n);
  const tainted = readModule(guest.kernel, gva);
  assert.deepEqual([tainted.vouched, tainted.taints], [false, ["out of tree"]]);
  set("taints", 0);
  set("sig_ok", 0);
  assert.equal(readModule(guest.kernel, gva).vouched, false);
});

Deno.test("a view that a kernel does not have is not an empty one", () => {
  const guest = new MemoryGuest();
  assert.deepEqual(listedModules(guest.kernel), []);
  assert.equal(treeModules(guest.kernel), undefined);
  assert.equal(sysfsModules(guest.kernel), undefined);
});

Deno.test("a list that loops is refused, and modules that are freed are left out", () => {
  const guest = new MemoryGuest();
  const head = guest.image();
  guest.symbol("modules", head);
  const first = guest.module(REGION + 64n, "first");
  const link = guest.at("module", first, "list");
  guest.setU64(head, link);
  guest.setU64(link, head);
  assert.deepEqual(listedModules(guest.kernel), [first]);
  const views = readModules(guest.kernel, [first, 0x1000n]);
  assert.deepEqual(views.map(({ name }) => name), ["first"]);
  guest.setU64(link, link);
  assert.throws(() => listedModules(guest.kernel), /runs in circles/);
});

Deno.test("a module has init memory as long as it has a place and a size", () => {
  const guest = new MemoryGuest();
  const gva = guest.module(REGION, "first");
  const init = guest.at("module", gva, "init_layout");
  const hasInit = () => readModule(guest.kernel, gva).hasInit;
  assert.equal(hasInit(), false);
  guest.setU64(init, REGION + PAGE);
  assert.equal(hasInit(), false);
  guest.setU32(init + 8n, 4096);
  assert.equal(hasInit(), true);
});
