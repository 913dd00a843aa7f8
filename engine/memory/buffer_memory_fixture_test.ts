import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryError } from "../base/errors.ts";
import { BufferMemory } from "./buffer_memory_fixture.ts";
import {
  intersectRanges,
  mergeRanges,
  subtractRanges,
} from "./elf_core_ranges.ts";
import { indexOfBytes } from "./elf_core_search.ts";

Deno.test("reads and writes span adjacent pieces", () => {
  const memory = new BufferMemory([
    { gpa: 0x2000, bytes: new Uint8Array(16).fill(2) },
    { gpa: 0x1ff0, bytes: new Uint8Array(16).fill(1) },
  ]);
  const word = new Uint8Array(4);
  memory.read(0x1ffe, word);
  assert.deepEqual([...word], [1, 1, 2, 2]);
  memory.write(0x1fff, Uint8Array.of(7, 8));
  memory.read(0x1ffe, word);
  assert.deepEqual([...word], [1, 7, 8, 2]);
  assert.deepEqual(memory.search(Uint8Array.of(7, 8)), [0x1fff]);
  assert.throws(() => memory.read(0x200e, word), MemoryError);
  assert.equal(memory.view(0x1fff, 2), undefined);
});

Deno.test("compareExchange replaces a word only when it holds what was expected", () => {
  const memory = new BufferMemory(new Uint8Array(16));
  assert.equal(memory.compareExchange(8, 8, 0n, 0x1122334455667788n), 0n);
  assert.equal(
    memory.compareExchange(8, 8, 5n, 6n),
    0x1122334455667788n,
  );
  assert.equal(memory.compareExchange(8, 4, 0x55667788n, 1n), 0x55667788n);
  assert.equal(memory.compareExchange(8, 8, 0n, 0n), 0x1122334400000001n);
  assert.throws(() => memory.compareExchange(2, 4, 0n, 0n), /not aligned/);
  const fixed = new BufferMemory(new Uint8Array(16), { writable: false });
  assert.throws(() => fixed.write(0, new Uint8Array(1)), /read-only/);
});

Deno.test("pieces must not overlap", () => {
  const bytes = new Uint8Array(16);
  assert.throws(
    () => new BufferMemory([{ gpa: 0, bytes }, { gpa: 8, bytes }]),
    /overlap/,
  );
});

const ranges = fc.array(fc.tuple(fc.nat(60), fc.nat(20))).map((list) =>
  mergeRanges(list.map(([start, n]) => ({ start, end: start + n })))
);
const has = (list: readonly { start: number; end: number }[], at: number) =>
  list.some((r) => at >= r.start && at < r.end);

Deno.test("range arithmetic agrees with counting every byte", () => {
  fc.assert(fc.property(ranges, ranges, (a, b) => {
    const both = intersectRanges(a, b);
    const less = subtractRanges(a, b);
    const all = mergeRanges([...a, ...b]);
    for (let at = 0; at < 90; at++) {
      assert.equal(has(both, at), has(a, at) && has(b, at));
      assert.equal(has(less, at), has(a, at) && !has(b, at));
      assert.equal(has(all, at), has(a, at) || has(b, at));
    }
  }));
});

Deno.test("the byte search agrees with that of Buffer", async () => {
  const { Buffer } = await import("node:buffer");
  const bytes = fc.array(fc.nat(2)).map((list) => Uint8Array.from(list));
  fc.assert(fc.property(bytes, bytes, fc.nat(10), (hay, needle, from) => {
    if (needle.length === 0) return;
    assert.equal(
      indexOfBytes(hay, needle, from),
      Buffer.from(hay).indexOf(needle, from),
    );
  }));
});
