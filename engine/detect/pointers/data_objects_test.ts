/** Objects by a module's symbols, of which any word may have been changed. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { HELPER } from "../core/check_fixture.ts";
import { DataObjects } from "./data_objects.ts";

const TYPES = fixtureTypes({
  module: { size: 16, members: { kallsyms: [8, "u64"] } },
  mod_kallsyms: {
    size: 16,
    members: { symtab: [0, "u64"], num_symtab: [8, "u32"] },
  },
});
const DATA = 0xffffffffc0201000n;
const PLACES = [
  { start: DATA, size: 0x40n },
  // A packet tap: its function at 0x18, its node at 0x30.
  { start: DATA + 0x40n, size: 0x40n },
  { start: DATA + 0x80n, size: 0x10n },
];
const TAP = DATA + 0x40n;
const NODE = TAP + 0x30n;
const FUNCTION = TAP + 0x18n;

function made() {
  const guest = new FixtureGuest(TYPES);
  const gva = guest.create("module");
  const table = guest.create("mod_kallsyms");
  const symtab = guest.allocate(24 * PLACES.length);
  guest.setU64(guest.at("module", gva, "kallsyms"), table);
  guest.setU64(table, symtab);
  guest.setU32(table + 8n, PLACES.length);
  PLACES.forEach(({ start, size }, i) => {
    const at = symtab + BigInt(24 * i);
    guest.setU32(at, i + 1);
    guest.setU32(at + 4n, 1 << 16);
    guest.setU64(at + 8n, start);
    guest.setU64(at + 16n, size);
  });
  const objects = () => new DataObjects(guest.kernel, { ...HELPER, gva });
  return { guest, symtab, table, objects };
}

Deno.test("an object is between the symbols beside it", () => {
  const { objects } = made();
  assert.deepEqual(objects().at(NODE), { start: TAP, end: DATA + 0x80n });
  assert.deepEqual(objects().at(DATA - 8n), undefined);
  assert.equal(objects().within(NODE), true);
  assert.equal(objects().within(TAP), false);
});

Deno.test("no word of the symbols parts a node from its function", () => {
  const { guest, symtab, table, objects } = made();
  const words = Array.from(
    { length: 9 },
    (_, i) => symtab + BigInt(8 * i),
  ).concat(table, table + 8n);
  for (const word of words) {
    const before = guest.u64(word);
    const values = [0n, 1n, 0x18n, 0x20n, 0x28n, 1n << 62n, before + 8n];
    const places = [DATA, TAP, FUNCTION + 8n, NODE - 8n, NODE, NODE + 8n];
    for (const value of [...values, ...places]) {
      guest.setU64(word, value);
      const object = objects().at(NODE);
      const holds = object === undefined ||
        object.start <= FUNCTION && FUNCTION < object.end;
      assert.ok(holds, `${word - symtab}: ${value.toString(16)}`);
    }
    guest.setU64(word, before);
  }
});
