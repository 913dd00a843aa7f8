import assert from "node:assert/strict";
import fc from "fast-check";
import { NumberList, NumberLists } from "./number_lists.ts";

Deno.test("lists have their numbers, however little memory there is", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.nat(4), fc.oneof(fc.nat(300), fc.maxSafeNat())),
        { maxLength: 2000, size: "max" },
      ),
      // From one block on.
      fc.constantFrom(256, 512, 2048, 1 << 16),
      (pushed, room) => {
        using lists = new NumberLists(room);
        const all = Array.from({ length: 5 }, () => new NumberList());
        for (const [list, value] of pushed) lists.push(all[list], value);
        all.forEach((list, i) => {
          assert.deepEqual(
            [...lists.numbers(list)],
            pushed.filter(([of]) => of === i).map(([, value]) => value),
          );
        });
      },
    ),
  );
});

Deno.test("a list that is read can be continued", () => {
  using lists = new NumberLists(256);
  const list = new NumberList();
  const expected: number[] = [];
  for (let i = 0; i < 5000; i++) {
    lists.push(list, i * i);
    expected.push(i * i);
    if (i % 1000 === 0) assert.deepEqual([...lists.numbers(list)], expected);
  }
  assert.deepEqual([...lists.numbers(list)], expected);
});
