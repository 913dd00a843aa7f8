import assert from "node:assert/strict";
import { Budget, BudgetError, type BudgetLimits } from "./budget.ts";
import { KernelError, XftraceError } from "./errors.ts";

const LIMITS: BudgetLimits = {
  of: "one test",
  reads: 10,
  bytes: 1000,
  nodes: 5,
  ms: Infinity,
};

Deno.test("a budget has no limits until some are set", () => {
  const budget = new Budget();
  for (let i = 0; i < 100_000; i++) budget.read(0n, 4096);
  budget.node("a list", 1e9);
});

Deno.test("too many reads, bytes or nodes end it, and say what was read", () => {
  const budget = new Budget();
  budget.allow(LIMITS);
  for (let i = 0; i < 10; i++) budget.read(1n, 8);
  assert.throws(
    () => budget.read(0x1234n, 8),
    (error) =>
      error instanceof BudgetError && error instanceof KernelError &&
      error.unit === "reads" &&
      /more than 10 reads .* one test; .* 0x1234/.test(error.message),
  );
  budget.renew();
  assert.throws(
    () => budget.read(0n, 1001),
    (error) => error instanceof BudgetError && error.unit === "bytes",
  );
  budget.renew();
  budget.node("a list", 5);
  assert.throws(() => budget.node("the list at 0x10"), /the list at 0x10/);
});

Deno.test("processor time ends it", () => {
  const budget = new Budget();
  budget.allow({ ...LIMITS, reads: 1e9, bytes: 1e12, ms: 20 });
  assert.throws(
    () => {
      for (;;) budget.read(0n, 8);
    },
    (error) => error instanceof BudgetError && error.unit === "ms",
  );
});

Deno.test("whoever catches its end cannot read more, and not for ever", () => {
  const budget = new Budget();
  budget.allow(LIMITS);
  assert.throws(() => budget.node("a list", 6), BudgetError);
  assert.throws(() => budget.read(0n, 1), BudgetError);
  assert.throws(() => {
    for (;;) {
      try {
        budget.read(0n, 1);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
      }
    }
  }, (error) => error instanceof XftraceError);
});

Deno.test("limits within others are apart from them", () => {
  const budget = new Budget();
  budget.allow(LIMITS);
  budget.node("a list", 4);
  const { ended, nodes } = budget.within(LIMITS, () => budget.node("b", 5));
  assert.deepEqual([ended, nodes], [undefined, 5]);
  budget.node("a list");
  assert.throws(() => budget.node("a list"), BudgetError);
});

Deno.test("an end within limits is told, even when it was caught", () => {
  const budget = new Budget();
  const thrown = budget.within(LIMITS, () => budget.node("a list", 6));
  assert.equal(thrown.ended?.unit, "nodes");
  const caught = budget.within(LIMITS, () => {
    try {
      budget.node("a list", 6);
    } catch {
      // It goes on without the list.
    }
  });
  assert.equal(caught.ended?.unit, "nodes");
  // Outside, nothing is limited.
  budget.node("a list", 1e9);
  assert.throws(
    () =>
      budget.within(LIMITS, () => {
        throw new TypeError("ours");
      }),
    TypeError,
  );
});
