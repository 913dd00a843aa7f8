import assert from "node:assert/strict";
import { kernelFiles, relocationLists } from "./kernel_file.ts";

/**
 * 8 bytes of ELF followed by 0, 64-bit relocations, 0, inverse ones if there
 * are any, 0, 32-bit ones.
 */
function image(inverse = [0x81000030, 0]): Uint8Array {
  const words = [0, 0x81000020, 0, ...inverse, 0x81000008, 0x81000004];
  const bytes = new Uint8Array(8 + 4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setUint32(8 + 4 * i, word, true));
  return bytes;
}

Deno.test("the relocation lists after an image are read from the end", () => {
  const { add32, subtract32, add64 } = relocationLists(image(), 8);
  assert.deepEqual([...add32], [0x81000004, 0x81000008]);
  assert.deepEqual([...subtract32], [0x81000030]);
  assert.deepEqual([...add64], [0x81000020]);
});

Deno.test("later images have no list of inverse relocations", () => {
  const { add32, subtract32, add64 } = relocationLists(image([]), 8);
  assert.deepEqual([...add32], [0x81000004, 0x81000008]);
  assert.deepEqual([...subtract32], []);
  assert.deepEqual([...add64], [0x81000020]);
});

Deno.test("relocating text changes each place according to its list", () => {
  const text = new Uint8Array(0x40);
  const view = new DataView(text.buffer);
  view.setInt32(4, 0x1000, true);
  view.setBigInt64(0x20, 0x7fffffffffffn, true);
  view.setInt32(0x30, 0x1000, true);
  const { apply } = kernelFiles.relocations(image(), 8);
  apply(text, 0xffffffff81000000n, 0x1200000n);
  assert.equal(view.getInt32(4, true), 0x1201000);
  assert.equal(view.getInt32(8, true), 0x1200000);
  assert.equal(view.getBigInt64(0x20, true), 0x8000011fffffn);
  assert.equal(view.getInt32(0x30, true), 0x1000 - 0x1200000);
  // The lists name no place in this other section.
  const other = new Uint8Array(0x40);
  apply(other, 0xffffffff82000000n, 0x1200000n);
  assert.ok(other.every((byte) => byte === 0));
});
