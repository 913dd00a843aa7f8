import assert from "node:assert/strict";
import { coveredPart, rangeAt, RangeList, RangeTest } from "./gva_ranges.ts";

Deno.test("adjacent ranges with the same rights become one", () => {
  const list = new RangeList();
  list.add(0x1000n, 0x2000n, false);
  list.add(0x2000n, 0x3000n, false);
  list.add(0x3000n, 0x4000n, true);
  list.add(0x5000n, 0x6000n, true);
  assert.equal(list.count, 4);
  assert.deepEqual(list.ranges, [
    { start: 0x1000n, end: 0x3000n, writable: false },
    { start: 0x3000n, end: 0x4000n, writable: true },
    { start: 0x5000n, end: 0x6000n, writable: true },
  ]);
  const at = (gva: bigint) => rangeAt(list.ranges, gva);
  assert.deepEqual(
    [0xfffn, 0x1000n, 0x2fffn, 0x3000n, 0x4000n, 0x5fffn, 0x6000n].map(at),
    [-1, 0, 0, 1, -1, 2, -1],
  );
  assert.equal(rangeAt([], 0n), -1);
});

Deno.test("a range counts as far as it is covered without a gap", () => {
  const by = [
    { start: 0x1000n, end: 0x2000n },
    { start: 0x2000n, end: 0x3000n },
    { start: 0x4000n, end: 0x9000n },
  ];
  const of = (start: bigint, end: bigint) => {
    const part = coveredPart({ start, end }, by);
    return part && [part.start, part.end];
  };
  assert.deepEqual(of(0x1800n, 0x1900n), [0x1800n, 0x1900n]);
  assert.deepEqual(of(0x1800n, 0x3000n), [0x1800n, 0x3000n]);
  assert.deepEqual(of(0x1800n, 2n ** 64n), [0x1800n, 0x3000n]);
  assert.equal(of(0x3000n, 0x9000n), undefined);
  assert.equal(of(0x800n, 0x2000n), undefined);
});

Deno.test("a range across a multiple of 4 GiB, tested by halves", () => {
  const test = new RangeTest({
    start: 0xffff_8000_ffff_f000n,
    end: 0xffff_8001_0000_1000n,
  });
  const has = (gva: bigint) =>
    test.has(Number(gva & 0xffffffffn), Number(gva >> 32n));
  assert.ok(has(0xffff_8000_ffff_f000n));
  assert.ok(has(0xffff_8001_0000_0fffn));
  assert.ok(!has(0xffff_8000_ffff_efffn));
  assert.ok(!has(0xffff_8001_0000_1000n));
  assert.ok(!has(0xffff_8002_0000_0000n));
  assert.ok(!has(0n));
});
