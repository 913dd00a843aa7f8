import assert from "node:assert/strict";
import { heldAddresses } from "./held_addresses.ts";

Deno.test("addresses that instructions hold are found, at any place", () => {
  const text = Uint8Array.of(
    0x90,
    // mov $0xffffffff82001234,%rsi
    ...[0x48, 0xc7, 0xc6, 0x34, 0x12, 0x00, 0x82],
    // mov $0x12345678,%eax; push $0xffffffff81000000
    ...[0xb8, 0x78, 0x56, 0x34, 0x12, 0x68, 0x00, 0x00, 0x00, 0x81],
    // Too short.
    ...[0x34, 0x12, 0x00],
  );
  const start = 0xffffffff82000000n;
  const end = 0xffffffff82001235n;
  assert.deepEqual(heldAddresses(text, { start, end }), [end - 1n]);
  assert.deepEqual(heldAddresses(text, { start, end: end - 1n }), []);
  assert.deepEqual(heldAddresses(new Uint8Array(), { start, end }), []);
});
