import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { distancesInto } from "./distance_tables.ts";

/** A guest with an exception table of these distances, and the last symbol. */
function guestWith(...distances: number[]) {
  const guest = new FixtureGuest(fixtureTypes({}));
  const table = guest.image();
  guest.symbol("__start___ex_table", table);
  const end = table + BigInt(4 * distances.length);
  guest.symbol("__stop___ex_table", end);
  for (const name of ["__start___ksymtab_gpl", "__stop___ksymtab_gpl"]) {
    guest.symbol(name, end);
  }
  distances.forEach((one, i) => guest.setU32(table + BigInt(4 * i), one));
  return { guest, table };
}

Deno.test("a distance that leads into the modules' region is told", () => {
  const { guest, table } = guestWith(0x100, -0x2000, 0x3000_0000, 3);
  for (const name of ["__start___ksymtab", "__stop___ksymtab"]) {
    guest.symbol(name, table);
  }
  const region = { start: table + 0x1000_0000n, end: table + 0x4000_0000n };
  assert.deepEqual(distancesInto(guest.kernel, region), [
    {
      what: "exception table",
      address: table + 8n,
      target: table + 8n + 0x3000_0000n,
    },
  ]);
  // Neither ends of the region nor what lies before the table.
  const before = { start: table - 0x2000n + 4n, end: table - 0x2000n + 5n };
  assert.equal(distancesInto(guest.kernel, before).length, 1);
  const behind = { start: table - 0x2000n + 5n, end: table };
  assert.deepEqual(distancesInto(guest.kernel, behind), []);
});

Deno.test("a table without a symbol is not taken for none", () => {
  const { guest } = guestWith(1);
  assert.throws(
    () => distancesInto(guest.kernel, { start: 0n, end: 1n }),
    /but no __start___ksymtab/,
  );
});

Deno.test("a table that ends before it starts is damaged", () => {
  const { guest, table } = guestWith(1);
  guest.symbol("__start___ksymtab", table + 64n);
  guest.symbol("__stop___ksymtab", table + 32n);
  assert.throws(
    () => distancesInto(guest.kernel, { start: 0n, end: 1n }),
    KernelError,
  );
});
