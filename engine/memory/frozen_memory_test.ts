import assert from "node:assert/strict";
import { BufferMemory } from "./buffer_memory_fixture.ts";
import { FrozenMemory } from "./frozen_memory.ts";

const PAGE = 4096;

Deno.test("a page stays as it was when it was first read", () => {
  const bytes = new Uint8Array(8 * PAGE).fill(1);
  using frozen = new FrozenMemory(new BufferMemory(bytes));
  const got = new Uint8Array(4);
  frozen.read(PAGE - 2, got);
  bytes.fill(2);
  frozen.read(PAGE - 2, got);
  assert.deepEqual([...got], [1, 1, 1, 1]);
  frozen.read(3 * PAGE, got);
  assert.deepEqual([...got], [2, 2, 2, 2]);
  assert.deepEqual(frozen.touched(), [
    { start: 0, end: 2 * PAGE },
    { start: 3 * PAGE, end: 4 * PAGE },
  ]);
  assert.equal(frozen.pageCount, 3);
});

Deno.test("after stopKeeping, other pages are read directly", () => {
  const bytes = new Uint8Array(4 * PAGE).fill(1);
  using frozen = new FrozenMemory(new BufferMemory(bytes));
  frozen.freeze(PAGE, PAGE);
  frozen.stopKeeping();
  bytes.fill(2);
  const all = new Uint8Array(bytes.length);
  frozen.read(0, all);
  assert.deepEqual([0, 1, 2, 3].map((page) => all[page * PAGE]), [2, 1, 2, 2]);
  assert.equal(frozen.pageCount, 1);
});

Deno.test("pages of zeros do not count as data", () => {
  const bytes = new Uint8Array(4 * PAGE);
  bytes[2 * PAGE] = 7;
  using frozen = new FrozenMemory(new BufferMemory(bytes));
  frozen.freeze(0, 4 * PAGE);
  assert.deepEqual(frozen.dataRanges(), [{ start: 2 * PAGE, end: 3 * PAGE }]);
});

Deno.test("a block whose header changes during the copy is copied again", () => {
  const bytes = new Uint8Array(2 * PAGE);
  let reads = 0;
  class Moving extends BufferMemory {
    override read(gpa: number, into: Uint8Array): void {
      if (++reads === 2) bytes[0] = 1;
      super.read(gpa, into);
    }
  }
  using frozen = new FrozenMemory(new Moving(bytes));
  frozen.freeze(0, 2 * PAGE);
  assert.equal(reads, 4);
  const head = new Uint8Array(1);
  frozen.read(0, head);
  assert.equal(head[0], 1);
});

Deno.test("pages with matches of a search are copied", () => {
  const bytes = new Uint8Array(4 * PAGE);
  bytes.set([1, 2, 3, 4], 2 * PAGE + 8);
  using frozen = new FrozenMemory(new BufferMemory(bytes));
  assert.deepEqual(frozen.search(Uint8Array.of(1, 2, 3, 4)), [2 * PAGE + 8]);
  assert.deepEqual(frozen.touched(), [{ start: 2 * PAGE, end: 3 * PAGE }]);
});
