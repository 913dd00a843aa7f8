import assert from "node:assert/strict";
import { hex, hexDigits } from "./hex.ts";

Deno.test("numbers in hex, including negative ones", () => {
  assert.deepEqual([0, 26, -26].map(hex), ["0x0", "0x1a", "-0x1a"]);
  assert.equal(hex(0xffffffff81000000n), "0xffffffff81000000");
  assert.equal(hex(-1n), "-0x1");
});

Deno.test("bytes in hex, two digits each", () => {
  assert.equal(hexDigits(new Uint8Array([0, 10, 255])), "000aff");
  assert.equal(hexDigits([0x0f, 0x1f], " "), "0f 1f");
  assert.equal(hexDigits([]), "");
});
