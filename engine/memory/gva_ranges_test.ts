import assert from "node:assert/strict";
import fc from "fast-check";
import {
  coveredPart,
  disjoint,
  rangeAt,
  RangeList,
  RangeTest,
} from "./gva_ranges.ts";

Deno.test("ranges that overlap are cut, and what matters more has the place", () => {
  const cut = (...ranges: [start: bigint, end: bigint, rank: number][]) =>
    disjoint(
      ranges.map(([start, end, rank]) => ({ start, end, rank })),
      ({ rank }) => rank,
    ).map(({ start, end, rank }) => [start, end, rank]);
  assert.deepEqual(cut(), []);
  assert.deepEqual(cut([1n, 1n, 0], [5n, 2n, 0]), []);
  assert.deepEqual(cut([0n, 9n, 1], [3n, 5n, 0]), [
    [0n, 3n, 1],
    [3n, 5n, 0],
    [5n, 9n, 1],
  ]);
  // The same in any order, and what lies within another is not read twice.
  assert.deepEqual(cut([3n, 5n, 1], [0n, 9n, 0]), [[0n, 9n, 0]]);
  assert.deepEqual(cut([0n, 6n, 0], [4n, 9n, 0], [5n, 6n, 0]), [
    [0n, 6n, 0],
    [6n, 9n, 0],
  ]);
  assert.deepEqual(cut([2n, 4n, 0], [6n, 8n, 0], [0n, 20n, 1], [3n, 7n, 2]), [
    [0n, 2n, 1],
    [2n, 4n, 0],
    [4n, 6n, 1],
    [6n, 8n, 0],
    [8n, 20n, 1],
  ]);
});

Deno.test("any ranges: each place is that of the first by rank, and once", () => {
  const range = fc.record({
    start: fc.bigInt(0n, 20n),
    size: fc.bigInt(0n, 9n),
    rank: fc.nat(2),
  }).map(({ start, size, rank }) => ({ start, end: start + size, rank }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 7 }), (ranges) => {
      const found = disjoint(ranges, ({ rank }) => rank);
      found.forEach(({ start, end }, i) => {
        assert.ok(start < end && (i === 0 || found[i - 1].end <= start));
      });
      for (let gva = 0n; gva < 30n; gva++) {
        const ranks = ranges.filter(({ start, end }) =>
          gva >= start && gva < end
        )
          .map(({ rank }) => rank);
        const has = found[rangeAt(found, gva)]?.rank;
        assert.equal(has, ranks.length === 0 ? undefined : Math.min(...ranks));
      }
    }),
    { numRuns: 300 },
  );
});

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
