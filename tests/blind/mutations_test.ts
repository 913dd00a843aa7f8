/** What is tried on a word, and that a seed repeats it. */
import assert from "node:assert/strict";
import { Random } from "../random.ts";
import { mutations } from "./mutations.ts";

const AROUND = { before: 1n, after: 2n, pointers: [0xffff_8880_0000_1000n] };

Deno.test("every kind of change is tried, and none that changes nothing", () => {
  const word = 0xffff_8880_0000_0008n;
  const made = mutations(word, AROUND, new Random(1), false);
  const values = made.map(({ value }) => value);
  for (
    const value of [
      0n,
      0xffff_ffff_ffff_ffffn,
      word + 1n,
      word - 1n,
      1n,
      2n,
      0xffff_8880_0000_1000n,
      0xffff_8880_0000_0000n,
    ]
  ) assert.ok(values.includes(value), value.toString(16));
  assert.equal(new Set(values).size, values.length);
  assert.ok(!values.includes(word));
  assert.ok(made.some(({ how }) => how.includes("flipped")));
  const zero = mutations(0n, AROUND, new Random(1), false);
  assert.ok(zero.every(({ value }) => value !== 0n));
});

Deno.test("words of text are changed in few ways", () => {
  const made = mutations(0x90n, AROUND, new Random(1), true);
  assert.ok(made.length <= 5, `${made.length} changes`);
});

Deno.test("a seed repeats itself, another one differs", () => {
  const of = (seed: number) => {
    const random = new Random(seed);
    return [random.shuffled([1, 2, 3, 4, 5, 6, 7, 8, 9]), random.next(1 << 20)];
  };
  assert.deepEqual(of(7), of(7));
  assert.notDeepEqual(of(7), of(8));
});
