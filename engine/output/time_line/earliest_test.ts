import assert from "node:assert/strict";
import { earliest } from "./earliest.ts";

Deno.test("the earliest source comes next, until the time of the one after it", () => {
  const heads = [{ time: 30 }, { time: 10 }, { time: 20 }, { time: 10 }];
  assert.deepEqual(earliest(heads), { head: heads[1], until: 10 });
  assert.deepEqual(earliest(heads.slice(0, 3)), { head: heads[1], until: 20 });
  assert.deepEqual(earliest([{ time: 5 }, { time: Infinity }]), {
    head: { time: 5 },
    until: Infinity,
  });
  assert.equal(earliest([{ time: Infinity }]).head, undefined);
  assert.equal(earliest([]).head, undefined);
});
