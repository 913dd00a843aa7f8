import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { hasMember, together, variable } from "./required.ts";

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

Deno.test("a member is absent only if nothing needs it", () => {
  const types = fixtureTypes({
    module: { size: 8, members: { a: [0, "u64"] } },
  });
  const has = (path: string, ...names: string[]) =>
    hasMember({ types, symbols: symbols(...names) }, "module", path, ["fills"]);
  assert.equal(has("a", "fills"), true);
  assert.equal(has("a"), true);
  assert.equal(has("b"), false);
  assert.throws(() => has("b", "fills"), /have fills, but .* no module\.b/);
});

Deno.test("a variable with two symbols is neither of them", () => {
  assert.throws(() => find("kprobe_table", "kprobe_table"), /2 times/);
});

Deno.test("symbols of one thing are there together or not at all", () => {
  const of = (...names: string[]) =>
    together(symbols(...names), ["start", "stop"], ["fills", "uses"]);
  // In the order asked for, not in that of the addresses.
  const [start, stop] = of("stop", "start", "fills") ?? [];
  assert.equal(start - stop, 8n);
  assert.equal(of("start", "stop")?.length, 2);
  assert.equal(of("another"), undefined);
  assert.throws(() => of("start"), /have start but no stop/);
  assert.throws(() => of("stop", "fills"), /have stop but no start/);
  assert.throws(() => of("uses"), /have uses but no start, stop/);
  assert.throws(() => of("start", "stop", "start"), /start 2 times/);
});
