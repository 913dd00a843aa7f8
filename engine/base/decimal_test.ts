import assert from "node:assert/strict";
import fc from "fast-check";
import { decimal } from "./decimal.ts";

Deno.test("numbers have the digits that String gives them", () => {
  const all = [
    ...[0, -0, 1, -1, 9, 10, 999, 1000, 1001, 1_000_000, 999_999, 1_000_001],
    ...[2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 53, 2 ** 64, 1e21, 1e22],
    ...[0.5, 999.5, 1000.5, -0.5, NaN, Infinity, -Infinity],
  ];
  for (const value of all) assert.equal(decimal(value), String(value));
  fc.assert(
    fc.property(
      fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double()),
      (value) => assert.equal(decimal(value), String(value)),
    ),
  );
});
