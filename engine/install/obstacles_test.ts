import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { obstacles } from "./obstacles.ts";

const TYPES = fixtureTypes({}, [["LOCKDOWN_MODULE_SIGNATURE", 1]]);
const unsigned = { signed: false };

/** What stands in the way in a guest whose kernel has these variables. */
function found(
  variables: Readonly<Record<string, number>>,
  file = unsigned,
): string[] {
  const guest = new FixtureGuest(TYPES);
  const page = guest.image();
  Object.entries(variables).forEach(([name, value], i) => {
    const gva = page + BigInt(i * 16);
    guest.symbol(name, gva);
    guest.setU32(gva, value);
  });
  return obstacles(guest.kernel, file);
}

Deno.test("a kernel that asks for nothing has no obstacles", () => {
  assert.deepEqual(found({}), []);
  assert.deepEqual(
    found({ modules_disabled: 0, sig_enforce: 0, kernel_locked_down: 0 }),
    [],
  );
});

Deno.test("a kernel that loads no more modules is told apart from one that wants a signature", () => {
  assert.deepEqual(found({ modules_disabled: 1 }), [
    "its kernel loads no more modules until it restarts (kernel.modules_disabled)",
  ]);
  const [only, ...more] = found({ sig_enforce: 1 });
  assert.deepEqual(more, []);
  assert.match(only, /\(module\.sig_enforce\), and this one is not signed/);
});

Deno.test("lockdown asks for a signature, whatever sig_enforce says", () => {
  for (const level of [1, 20]) {
    const [only] = found({ sig_enforce: 0, kernel_locked_down: level });
    assert.match(only, /\(it is locked down, as with Secure Boot\)/);
  }
  const all = found({
    modules_disabled: 1,
    sig_enforce: 1,
    kernel_locked_down: 1,
  });
  assert.equal(all.length, 2);
  assert.match(all[1], /\(module\.sig_enforce; it is locked down/);
});

Deno.test("whether a signature is trusted is left to the guest", () => {
  const [only] = found({ sig_enforce: 1 }, { signed: true });
  assert.match(only, /only the guest knows whether it trusts this one's key$/);
});

Deno.test("sig_enforce is one byte: what lies behind it is something else", () => {
  assert.deepEqual(found({ sig_enforce: 0x0100 }), []);
});
