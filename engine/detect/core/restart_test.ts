import assert from "node:assert/strict";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { RootsGuest } from "./cpu_roots_fixture.ts";
import { restartUnknown } from "./restart.ts";

/** The text of a kernel that ran before, at another address. */
const BEFORE = [
  FIXTURE_TEXT + 0x4000000n,
  FIXTURE_TEXT + 0x5000000n,
] as const;

/** Why a restart is not known, with these registers. */
function why(
  roots: RootsGuest,
  before: readonly [bigint, bigint] = BEFORE,
  values: Record<string, bigint> = {},
): Promise<string | undefined> {
  const { kernel } = roots.guest;
  return restartUnknown({
    kernel,
    registers: () => Promise.resolve(roots.reading(roots.cpu(values))),
  }, before);
}

Deno.test("a restart is known if the processors run a kernel at another address", async () => {
  assert.equal(await why(new RootsGuest()), undefined);
});

Deno.test("a restart is not known otherwise", async () => {
  const roots = new RootsGuest();
  const { kernel } = roots.guest;
  const text = kernel.symbols.address("_stext");
  assert.match(
    await why(roots, [text, text + 0x1000n]) ?? "",
    /at the same address as before/,
  );
  // The memory's kernel is not the one that runs.
  assert.match(
    await why(roots, BEFORE, { "idtr.base": roots.idt + 0x1000n }) ?? "",
    /its IDTR is .* which is not idt_table/,
  );
  const redirected = new RootsGuest();
  redirected.redirect();
  assert.match(await why(redirected) ?? "", /the page tables at /);
  // It is still there.
  const both = await why(roots, [roots.idt, roots.idt + 0x1000n]);
  assert.match(both ?? "", /the earlier kernel is still mapped/);
  // A recording whose header has no address.
  assert.match(await why(roots, [0n, 0n]) ?? "", /address is not known/);
  assert.equal(
    await restartUnknown({
      kernel,
      registers: () => Promise.resolve({ why: "it has no monitor" }),
    }, BEFORE),
    "it has no monitor",
  );
});
