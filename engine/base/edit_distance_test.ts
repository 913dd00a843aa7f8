import assert from "node:assert/strict";
import fc from "fast-check";
import { EditDistance } from "./edit_distance.ts";
import { codesOf } from "./glob.ts";

function distance(a: string, b: string, limit = 9, swaps = false): number {
  return new EditDistance(codesOf(a), swaps).to(codesOf(b), 0, b.length, limit);
}

Deno.test("edits between names; swapped neighbours count as one or two", () => {
  assert.equal(distance("vfs_read", "vfs_read"), 0);
  assert.equal(distance("vfs_read", "vfs_write"), 4);
  assert.equal(distance("raed", "read"), 2);
  assert.equal(distance("raed", "read", 9, true), 1);
  assert.equal(distance("", "abc"), 3);
  assert.equal(distance("kmalloc", "kfree", 2), 3);
});

/** The textbook recursion: three choices for the last characters. */
function plain(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  return Math.min(
    plain(a.slice(1), b) + 1,
    plain(a, b.slice(1)) + 1,
    plain(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1),
  );
}

Deno.test("the distance matches the textbook recursion, capped at limit + 1", () => {
  const word = fc.string({
    unit: fc.constantFrom("a", "b", "c"),
    maxLength: 6,
  });
  fc.assert(fc.property(word, word, fc.nat(6), (a, b, limit) => {
    assert.equal(distance(a, b, limit), Math.min(plain(a, b), limit + 1));
  }));
});
