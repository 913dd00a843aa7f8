import assert from "node:assert/strict";
import { GuestGoneError, KernelError } from "../../base/errors.ts";
import { Kernel } from "../../kernel/core/kernel.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { LiveSymbols } from "../../kernel/symbols/live_symbols.ts";
import { runChecks } from "./runner.ts";
import type { Check } from "./check.ts";

const CHECK: Check = {
  id: "XF000",
  title: "test",
  technique: "T1014",
  help: "",
  run: () => {},
};

/** A kernel whose modules cannot be read because of this error. */
function unreadable(error: Error): Kernel {
  const { arch, space, symbols, types, facts } = new FixtureGuest(
    fixtureTypes({}),
  ).kernel;
  const live: LiveSymbols = Object.create(LiveSymbols.prototype, {
    refresh: {
      value: () => {
        throw error;
      },
    },
  });
  return new Kernel(arch, space, symbols, types, live, facts);
}

Deno.test("what no check can read is unjudged, never clean", async () => {
  const kernel = unreadable(new KernelError("the list of modules is damaged"));
  const { outcomes } = await runChecks(kernel, [CHECK]);
  assert.equal(outcomes.length, 1);
  const { findings, unjudged, judged } = outcomes[0];
  assert.deepEqual([findings, judged], [[], 0]);
  assert.deepEqual(unjudged, [
    { what: "test", why: "the list of modules is damaged" },
  ]);
});

Deno.test("the end of the guest ends the run", async () => {
  await assert.rejects(
    runChecks(unreadable(new GuestGoneError("it has ended")), [CHECK]),
    GuestGoneError,
  );
});

Deno.test("an internal error in what all checks need is unjudged", async () => {
  for (const error of [new TypeError("a fault"), new RangeError("too deep")]) {
    const { outcomes } = await runChecks(unreadable(error), [CHECK]);
    const [{ what, why }] = outcomes[0].unjudged;
    assert.equal(what, "test");
    assert.match(why, new RegExp(`internal error.*: ${error.message}`));
  }
});
