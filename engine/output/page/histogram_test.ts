import assert from "node:assert/strict";
import fc from "fast-check";
import { bucketOf, bucketStart, Histogram, percentile } from "./histogram.ts";

Deno.test("buckets follow each other without a gap, and are narrow", () => {
  for (let bucket = 0; bucket < 1560; bucket++) {
    const start = bucketStart(bucket);
    const next = bucketStart(bucket + 1);
    assert.equal(bucketOf(start), bucket);
    assert.equal(bucketOf(next - 1), bucket);
    assert.ok(next - start <= Math.max(1, start / 32));
  }
  assert.equal(bucketOf(-5), 0);
  assert.equal(bucketOf(NaN), 0);
  assert.ok(bucketStart(bucketOf(Infinity)) <= Number.MAX_SAFE_INTEGER);
});

Deno.test("a percentile is never below the true one, and 1/32 above at most", () => {
  const durations = fc.array(fc.integer({ min: 0, max: 2 ** 45 }), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(fc.property(durations, fc.constantFrom(0.5, 0.9, 0.99, 1), (
    all,
    share,
  ) => {
    const histogram = new Histogram();
    for (const ns of all) histogram.add(ns);
    const sorted = all.toSorted((a, b) => a - b);
    const exact = sorted[Math.max(0, Math.ceil(share * all.length) - 1)];
    const found = percentile(histogram.pairs(), share, histogram.max);
    assert.ok(found >= exact, `${found} < ${exact}`);
    assert.ok(found <= exact * (1 + 1 / 32), `${found} > ${exact}`);
    assert.equal(histogram.count, all.length);
    assert.equal(histogram.min, sorted[0]);
  }));
});
