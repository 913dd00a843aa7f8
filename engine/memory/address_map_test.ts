import assert from "node:assert/strict";
import { AddressMap } from "./address_map.ts";

const halves = (gva: bigint): [number, number] => [
  Number(gva & 0xffffffffn),
  Number(gva >> 32n),
];

Deno.test("keys that share their high half, and keys that do not", () => {
  const map = new AddressMap<string>();
  const text = 0xffffd2a1_fffff000n;
  assert.equal(map.get(0, 0), undefined);
  assert.ok(!map.has(...halves(text)));
  map.put(text, "last");
  map.put(text + 0x2000n, "first");
  map.set(0x1000, 0, "user");
  assert.equal(map.size, 3);
  assert.equal(map.get(...halves(text)), "last");
  assert.equal(map.get(...halves(text + 0x2000n)), "first");
  assert.equal(map.get(0x1000, 0), "user");
  // The same low half under another high half.
  assert.equal(map.get(0xfffff000, 0), undefined);
  assert.ok(!map.has(0x1000, 0xffffd2a1));
  assert.deepEqual([...map.keys()], [text, text + 0x2000n, 0x1000n]);
});
