import assert from "node:assert/strict";
import {
  allocateBytes,
  allocateList,
  allocateWords,
  wholeSize,
} from "./allocate.ts";
import { Budget, BudgetError } from "./budget.ts";
import { KernelError, XftraceError } from "./errors.ts";

/** What a guest's or a file's number may be besides a size. */
const NO_SIZES = [
  -1,
  -0.5,
  0.5,
  11,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  NaN,
  Infinity,
  -Infinity,
];

Deno.test("a size up to the limit is allocated, all zero", () => {
  assert.deepEqual(allocateBytes(0, 10, "it"), new Uint8Array(0));
  assert.deepEqual(allocateBytes(10, 10, "it"), new Uint8Array(10));
  assert.deepEqual(
    allocateWords(BigUint64Array, 3, 3, "it"),
    new BigUint64Array(3),
  );
  assert.deepEqual(allocateList(3, 3, "it", (i) => 2 * i), [0, 2, 4]);
  assert.equal(wholeSize(10, 10, "it", "bytes"), 10);
});

Deno.test("anything else is one clear error, and nothing is allocated", () => {
  for (const size of NO_SIZES) {
    for (
      const allocate of [
        () => allocateBytes(size, 10, "the table"),
        () => allocateWords(Uint32Array, size, 10, "the table"),
        () => allocateList(size, 10, "the table", () => assert.fail("made")),
      ]
    ) {
      assert.throws(allocate, (error) =>
        error instanceof KernelError &&
        error.message.startsWith(`the table claims to have ${size} `) &&
        error.message.includes("10 are the most"), `${size}`);
    }
  }
  assert.throws(() => allocateBytes(11, 10, 0x1234n), /what lies at 0x1234/);
});

Deno.test("the caller may give its own error", () => {
  const own = new XftraceError("a file cannot be that large");
  const options = { error: () => own };
  assert.throws(() => allocateBytes(11, 10, "it", options), own);
  assert.throws(() => allocateWords(Int32Array, NaN, 10, "it", options), own);
  assert.throws(() => allocateList(-1, 10, "it", () => 0, options), own);
});

Deno.test("many allocations below the limit end with the budget", () => {
  const budget = new Budget();
  budget.allow({
    of: "one test",
    reads: 0,
    bytes: 100,
    nodes: 10,
    ms: Infinity,
  });
  allocateBytes(60, 100, "it", { budget });
  allocateWords(Uint32Array, 10, 100, "it", { budget });
  assert.throws(
    () => allocateBytes(1, 100, "the last", { budget }),
    (error) =>
      error instanceof BudgetError && error.unit === "bytes" &&
      error.message.includes("the last"),
  );
  budget.renew();
  allocateList(10, 10, "it", () => 0, { budget });
  assert.throws(
    () => allocateList(1, 10, "it", () => 0, { budget }),
    (error) => error instanceof BudgetError && error.unit === "nodes",
  );
});
