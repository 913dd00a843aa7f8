import assert from "node:assert/strict";
import { ModuleGuest } from "./module_fixture.ts";
import { givenBack, Patience } from "./given_back.ts";

Deno.test("a second reading waits for longer, and a later one does not", () => {
  const patience = new Patience();
  assert.equal(patience.until(1000), 1250);
  patience.inVain(1000, 1250);
  assert.equal(patience.until(1300), 2500);
  patience.inVain(1300, 2500);
  assert.equal(patience.until(2600), 2850);
});

Deno.test("after some time without a wait in vain, it begins anew", () => {
  const patience = new Patience();
  patience.inVain(1000, 1250);
  assert.equal(patience.until(9000), 9250);
  patience.inVain(9000, 9250);
  assert.equal(patience.until(9300), 10_500);
});

Deno.test("memory that is unmapped, or filled with traps, was given back", () => {
  const guest = new ModuleGuest();
  const [left, taken] = ["left", "taken"].map((name, i) => guest.load(name, i));
  const text = (module: bigint) => module - 0x1000n;
  guest.unlink(left);
  guest.unlink(taken);
  const isGivenBack = givenBack(guest.context());
  guest.unmapText(left);
  assert.equal(isGivenBack(text(left)), true);
  const { gpa } = guest.guest.space.translate(text(taken));
  const page = new Uint8Array(guest.guest.view.buffer, gpa, 0x1000);
  page.fill(0x90);
  assert.equal(givenBack(guest.context())(text(taken)), false);
  page.fill(0xcc);
  assert.equal(givenBack(guest.context())(text(taken)), true);
});

Deno.test("a module that is listed meanwhile has its text; one that was listed before proves nothing", () => {
  const guest = new ModuleGuest();
  const before = guest.context();
  const text = guest.load("new", 0) - 0x1000n;
  assert.equal(givenBack(before)(text), true);
  assert.equal(givenBack(guest.context())(text), false);
});

Deno.test("what a recording holds is not waited for", () => {
  const guest = new ModuleGuest(false);
  const text = guest.load("gone", 0) - 0x1000n;
  guest.unmapText(text + 0x1000n);
  assert.equal(givenBack(guest.context())(text), false);
});
