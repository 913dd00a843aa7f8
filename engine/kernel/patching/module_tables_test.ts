import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { moduleTracepoints } from "../objects/tracepoints.ts";
import { moduleJumpSites } from "./jump_labels.ts";
import { dataInText, wholeSymbols } from "./module_tables.ts";
import { moduleStaticCallSites } from "./static_calls.ts";

const TYPES = fixtureTypes({
  attribute: { size: 8, members: { name: [0, "u64"] } },
  bin_attribute: { size: 8, members: { attr: [0, "attribute"] } },
  module: {
    size: 32,
    members: {
      jump_entries: [0, "u64"],
      num_jump_entries: [8, "u32"],
      sect_attrs: [16, "u64"],
    },
  },
  module_sect_attrs: {
    size: 16,
    members: { nsections: [0, "u32"], attrs: [8, "u64"] },
  },
  module_sect_attr: {
    size: 16,
    members: { battr: [0, "bin_attribute"], address: [8, "u64"] },
  },
});

/** The same of a kernel that lists binary attributes (Linux 6.14). */
const LISTED = fixtureTypes({
  attribute: { size: 8, members: { name: [0, "u64"] } },
  bin_attribute: {
    size: 24,
    members: { attr: [0, "attribute"], private: [16, "u64"] },
  },
  attribute_group: { size: 16, members: { bin_attrs: [8, "u64"] } },
  module: {
    size: 32,
    members: {
      jump_entries: [0, "u64"],
      num_jump_entries: [8, "u32"],
      sect_attrs: [16, "u64"],
    },
  },
  module_sect_attrs: { size: 16, members: { grp: [0, "attribute_group"] } },
});

/**
 * A module with two jump labels, and a section behind their table.
 *
 * @param types of a kernel that keeps sections in the one or the other way
 */
function guestWith(
  types = TYPES,
): { guest: FixtureGuest; module: bigint; table: bigint } {
  const guest = new FixtureGuest(types);
  const module = guest.create("module");
  const table = guest.allocate(48);
  for (const entry of [0n, 16n]) guest.setU64(table + entry, 0x1000_0000_1000n);
  guest.setU64(module, table);
  guest.setU32(module + 8n, 2);
  const attrs = guest.allocate(48);
  guest.setU64(module + 16n, attrs);
  const sections: [string, bigint][] = [
    ["__jump_table", table],
    [".data", table + 40n],
  ];
  const listed = types === LISTED;
  const list = guest.allocate(32);
  if (listed) guest.setU64(attrs + 8n, list);
  else guest.setU32(attrs, 2);
  for (const [i, [name, address]] of sections.entries()) {
    const at = listed ? guest.allocate(24) : attrs + BigInt(8 + 16 * i);
    if (listed) guest.setU64(list + BigInt(8 * i), at);
    guest.setU64(at, guest.text(name));
    guest.setU64(at + (listed ? 16n : 8n), address);
  }
  return { guest, module, table };
}

Deno.test("all of a module's jump labels are read", () => {
  for (const types of [TYPES, LISTED]) {
    const { guest, module, table } = guestWith(types);
    assert.deepEqual(
      moduleJumpSites(guest.kernel, module).map(({ code }) => code),
      [table + 0x1000n, table + 16n + 0x1000n],
    );
  }
});

Deno.test("a kernel that keeps sections in an unknown way is refused by name", () => {
  const types = fixtureTypes({
    module: {
      size: 32,
      members: {
        jump_entries: [0, "u64"],
        num_jump_entries: [8, "u32"],
        sect_attrs: [16, "u64"],
      },
    },
    module_sect_attrs: { size: 16, members: { other: [0, "u64"] } },
  });
  const { guest, module } = guestWith(types);
  assert.throws(
    () => moduleJumpSites(guest.kernel, module),
    /neither nsections nor grp\.bin_attrs/,
  );
});

Deno.test("a count that leaves some out, or claims more, is not believed", () => {
  for (const count of [0, 1, 3, 0xffff_ffff]) {
    const { guest, module } = guestWith(count === 1 ? LISTED : TYPES);
    guest.setU32(module + 8n, count);
    assert.throws(
      () => moduleJumpSites(guest.kernel, module),
      /its __jump_table/,
      `${count} entries`,
    );
  }
});

Deno.test("a table elsewhere than where its section was loaded is not believed", () => {
  const { guest, module } = guestWith();
  guest.setU64(module, guest.allocate(32));
  assert.throws(
    () => moduleJumpSites(guest.kernel, module),
    /not where it was loaded/,
  );
});

Deno.test("a count without a table, or a table without a count, is not believed", () => {
  // A kernel that does not tell where the sections are.
  const members = Object.fromEntries([
    ["jump_entries", "num_jump_entries"],
    ["static_call_sites", "num_static_call_sites"],
    ["tracepoints_ptrs", "num_tracepoints"],
  ].flatMap(([table, count], i) => [
    [table, [16 * i, "u64"] as const],
    [count, [16 * i + 8, "u32"] as const],
  ]));
  const types = fixtureTypes({ module: { size: 48, members } });
  const reads = [moduleJumpSites, moduleStaticCallSites, moduleTracepoints];
  for (const [i, read] of reads.entries()) {
    const guest = new FixtureGuest(types);
    const module = guest.create("module");
    const [table, count] = [
      module + BigInt(16 * i),
      module + BigInt(16 * i + 8),
    ];
    const size = () => [...read(guest.kernel, module)].length;
    assert.equal(size(), 0);
    guest.setU64(table, guest.allocate(16));
    assert.throws(size, /and nothing in it/);
    guest.setU32(count, 1);
    assert.equal(size(), 1);
    guest.setU32(count, 0x7fff_ffff);
    assert.throws(size, /claims \d+/);
    guest.setU32(count, 1);
    guest.setU64(table, 0);
    assert.throws(size, /claims \d+ bytes, and is nowhere/);
  }
});

Deno.test("a module's number of symbols is compared with where their names begin", () => {
  const types = fixtureTypes({
    mod_kallsyms: {
      size: 24,
      members: {
        symtab: [0, "u64"],
        num_symtab: [8, "u32"],
        strtab: [16, "u64"],
      },
    },
    module: {
      size: 48,
      members: {
        state: [0, "u32"],
        kallsyms: [8, "u64"],
        core_kallsyms: [16, "mod_kallsyms"],
      },
    },
  }, [["MODULE_STATE_LIVE", 0]]);
  const guest = new FixtureGuest(types);
  const module = guest.create("module");
  const core = module + 16n;
  const check = () => wholeSymbols(guest.kernel, module);
  guest.setU64(module + 8n, core);
  guest.setU64(core, 0x1000);
  guest.setU64(core + 16n, 0x1000 + 3 * 24);
  for (const count of [0, 1, 2, 4, 0xffff_ffff]) {
    guest.setU32(core + 8n, count);
    assert.throws(check, new RegExp(`num_symtab claims ${count} symbols`));
  }
  guest.setU32(core + 8n, 3);
  check();
  guest.setU64(core + 16n, 0x1000);
  assert.throws(check, /num_symtab/);
  guest.setU32(core + 8n, 0);
  assert.throws(check, /num_symtab/);
  // Another table is right only while the module is being loaded.
  guest.setU64(module + 8n, guest.create("mod_kallsyms"));
  assert.throws(check, /not where they belong/);
  guest.setU32(module, 1);
  check();
});

/** A module whose sections were loaded there; its struct is in the last one. */
function loaded(...names: string[]) {
  const guest = new FixtureGuest(TYPES);
  const base = guest.allocate(0x4000, 4096);
  const module = base + BigInt(names.length * 0x100);
  const attrs = guest.allocate(200);
  guest.setU64(module + 16n, attrs);
  const sections = [...names, ".gnu.linkonce.this_module"];
  guest.setU32(attrs, sections.length);
  sections.forEach((name, i) => {
    guest.setU64(attrs + BigInt(8 + 16 * i), guest.text(name));
    guest.setU64(attrs + BigInt(16 + 16 * i), base + BigInt(i * 0x100));
  });
  const within = (size: bigint, from = 0n) =>
    dataInText(guest.kernel, {
      gva: module,
      text: [{ start: base + from, end: base + size }],
    })?.name;
  return { guest, attrs, within };
}

Deno.test("a module's text ends where its data begin", () => {
  const { within } = loaded(".text", ".text.unlikely", ".rodata.str1.1");
  assert.equal(within(0x200n), undefined);
  assert.equal(within(0x201n), ".rodata.str1.1");
  assert.equal(loaded(".text").within(0x101n), ".gnu.linkonce.this_module");
  for (const name of [".note.Linux", ".data", "__mcount_loc", ".bss"]) {
    assert.equal(loaded(".text", name).within(0x180n), name);
  }
});

Deno.test("a module's text begins where one of its sections does", () => {
  const { within } = loaded(".text", ".text.unlikely", ".rodata");
  assert.equal(within(0x200n), undefined);
  for (const from of [-0x1000n, -8n, 8n]) {
    assert.throws(() => within(0x200n, from), /none of its sections begins$/);
  }
});

Deno.test("sections that do not lead to the module are not believed", () => {
  const { guest, attrs, within } = loaded(".text", ".rodata");
  guest.setU32(attrs, 2);
  assert.throws(() => within(0x100n), /not those that it was loaded with/);
});
