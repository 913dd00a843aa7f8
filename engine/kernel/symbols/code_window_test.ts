import assert from "node:assert/strict";
import { CodeWindow } from "./code_window.ts";

const halves = (gva: bigint): [number, number] => [
  Number(gva & 0xffffffffn),
  Number(gva >> 32n),
];

Deno.test("a window at the end of the address space", () => {
  const window = new CodeWindow(0xffffffff81000000n);
  assert.equal(window.base, 0xffffffff00000000n);
  for (const gva of [0xffffffff00000000n, 0xffffffffffffffffn]) {
    assert.ok(window.holds(gva) && window.has(...halves(gva)));
    assert.equal(window.gva(halves(gva)[0]), gva);
  }
  assert.ok(window.has(0x81000000 | 0, -1), "signed halves");
  assert.ok(!window.holds(0xfffffffeffffffffn));
  assert.ok(!window.has(...halves(0xfffffffeffffffffn)));
  assert.ok(!window.has(0x81000000, 0));
});

Deno.test("a window across a multiple of 4 GiB", () => {
  const text = 0xffffd2a1_0e800000n;
  const window = new CodeWindow(text);
  const first = text - (1n << 31n);
  for (const gva of [first, text, text + 0x7fff_ffffn]) {
    assert.ok(window.holds(gva) && window.has(...halves(gva)));
    assert.equal(window.gva(halves(gva)[0]), gva);
    assert.equal(window.offset(halves(gva)[0]), Number(gva - first));
  }
  for (const gva of [first - 1n, text + (1n << 31n), 0n]) {
    assert.ok(!window.holds(gva));
    assert.ok(!window.has(...halves(gva)), gva.toString(16));
  }
});
