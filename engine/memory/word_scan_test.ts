import assert from "node:assert/strict";
import { Budget, BudgetError } from "../base/budget.ts";
import { BufferMemory } from "./buffer_memory_fixture.ts";
import { scanWords } from "./word_scan.ts";

const RANGES = [
  { start: 0xffff88800000f000n, end: 0xffff888000010000n },
  { start: 0xffffffffc0001000n, end: 0xffffffffc0002000n },
  { start: 0xffffffffc0005000n, end: 0xffffffffc0005010n },
];

function memoryWith(words: readonly (readonly [number, bigint])[]) {
  const bytes = new Uint8Array(3 << 20);
  const view = new DataView(bytes.buffer);
  for (const [gpa, value] of words) view.setBigUint64(gpa, value, true);
  return new BufferMemory(bytes);
}

Deno.test("words that lead into a range are found, with their GPAs", () => {
  const inside: [number, bigint][] = [
    [0, 0xffffffffc0001000n],
    [0x1008, 0xffffffffc0001fffn],
    [(1 << 20) - 8, 0xffffffffc0005000n],
    [1 << 20, 0xffff88800000f123n],
    [(3 << 20) - 8, 0xffffffffc0001234n],
  ];
  const memory = memoryWith([
    ...inside,
    // Between two ranges, behind the last, and not aligned.
    [0x2000, 0xffffffffc0003000n],
    [0x2008, 0xffffffffc0005010n],
    [0x200c + 8, 0xffffffffc0001000n],
    [0x3000, 0x00000000c0001000n],
  ]);
  const { hits, more, bytes } = scanWords(memory, RANGES, 100, new Budget());
  assert.deepEqual(
    hits.map(({ gpa, value }) => [gpa, value]).sort((a, b) =>
      Number(a[0]) - Number(b[0])
    ),
    inside,
  );
  assert.deepEqual([more, bytes], [false, 3 << 20]);
});

Deno.test("more words than were asked for are said to be there", () => {
  const memory = memoryWith([[0, RANGES[0].start], [8, RANGES[0].start]]);
  const { hits, more } = scanWords(memory, RANGES, 1, new Budget());
  assert.deepEqual([hits.length, more], [1, true]);
});

Deno.test("nothing is read for no ranges, and no more than the budget", () => {
  const memory = memoryWith([]);
  assert.equal(scanWords(memory, [], 1, new Budget()).bytes, 0);
  const budget = new Budget();
  const limits = { of: "a test", reads: 1, bytes: 1 << 30, nodes: 9, ms: 9e9 };
  const { ended } = budget.within(limits, () => {
    scanWords(memory, RANGES, 1, budget);
  });
  assert.ok(ended instanceof BudgetError);
});
