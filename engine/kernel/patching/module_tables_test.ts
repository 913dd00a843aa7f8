import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { moduleJumpSites } from "./jump_labels.ts";

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

/** A module with two jump labels, and a section behind their table. */
function guestWith(): { guest: FixtureGuest; module: bigint; table: bigint } {
  const guest = new FixtureGuest(TYPES);
  const module = guest.create("module");
  const table = guest.allocate(48);
  for (const entry of [0n, 16n]) guest.setU64(table + entry, 0x1000_0000_1000n);
  guest.setU64(module, table);
  guest.setU32(module + 8n, 2);
  const attrs = guest.allocate(48);
  guest.setU64(module + 16n, attrs);
  guest.setU32(attrs, 2);
  const sections: [string, bigint][] = [
    ["__jump_table", table],
    [".data", table + 40n],
  ];
  for (const [i, [name, address]] of sections.entries()) {
    guest.setU64(attrs + BigInt(8 + 16 * i), guest.text(name));
    guest.setU64(attrs + BigInt(16 + 16 * i), address);
  }
  return { guest, module, table };
}

Deno.test("all of a module's jump labels are read", () => {
  const { guest, module, table } = guestWith();
  assert.deepEqual(
    moduleJumpSites(guest.kernel, module).map(({ code }) => code),
    [table + 0x1000n, table + 16n + 0x1000n],
  );
});

Deno.test("a count that leaves some out, or claims more, is not believed", () => {
  for (const count of [0, 1, 3, 0xffff_ffff]) {
    const { guest, module } = guestWith();
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
