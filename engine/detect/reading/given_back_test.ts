import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
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

Deno.test("what a recording holds is not waited for", () => {
  const { kernel } = new FixtureGuest(fixtureTypes({}));
  assert.equal(kernel.memory.live, false);
  assert.equal(givenBack(kernel)(0xffffffffc0000000n), false);
});
