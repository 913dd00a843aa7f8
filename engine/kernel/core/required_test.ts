import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "./kernel_fixture.ts";
import { variable } from "./required.ts";

/** The symbols of a kernel that has these, in this order. */
function symbols(...names: string[]) {
  const guest = new FixtureGuest(fixtureTypes({}));
  const at = guest.image();
  names.forEach((name, i) => guest.symbol(name, at + BigInt(8 * i)));
  return guest.kernel.symbols;
}

const find = (...names: string[]) =>
  variable(symbols(...names), "kprobe_table", ["get_kprobe", "aggr_kprobe"]);

Deno.test("a variable without a symbol is absent only if nothing needs it", () => {
  assert.notEqual(find("kprobe_table"), undefined);
  assert.equal(find("modules"), undefined);
  for (const witness of ["get_kprobe", "aggr_kprobe"]) {
    assert.throws(() => find("kprobe_tablf", witness), /but no kprobe_table/);
  }
});

Deno.test("a variable with two symbols is neither of them", () => {
  assert.throws(() => find("kprobe_table", "kprobe_table"), /2 times/);
});
