import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import type { Symbols } from "./symbols.ts";
import { together } from "./together.ts";

function symbolsOf(...names: string[]): Symbols {
  return {
    count: names.length,
    tryAddress: (name) => names.includes(name) ? 0x1000n : undefined,
    address: () => 0n,
    addresses: () => [],
    lookup: () => undefined,
    name: () => "",
    near: () => [],
    glob: () => [],
  };
}

Deno.test("symbols of one thing are there together or not at all", () => {
  const of = (...names: string[]) =>
    together(symbolsOf(...names), ["start", "stop"], ["fills", "uses"]);
  assert.deepEqual(of("start", "stop", "fills"), [0x1000n, 0x1000n]);
  assert.deepEqual(of("start", "stop"), [0x1000n, 0x1000n]);
  assert.equal(of("another"), undefined);
  assert.throws(() => of("start"), KernelError);
  assert.throws(() => of("stop", "fills"), /has stop but no symbol start/);
  assert.throws(() => of("uses"), /no symbol start, stop/);
});
