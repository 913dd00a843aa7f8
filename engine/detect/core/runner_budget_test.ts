import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { listNodes } from "../../kernel/core/lists.ts";
import type { Report } from "../finding.ts";
import type { Check } from "./check.ts";
import { checked } from "./check_fixture.ts";
import type { CheckContext } from "./context.ts";
import { type CheckReading, unsettled } from "./outcome.ts";

function check(run: (context: CheckContext, report: Report) => void): Check {
  return { id: "XF000", title: "test", technique: "T1014", help: "", run };
}

function guest(): FixtureGuest {
  return new FixtureGuest(fixtureTypes({}));
}

Deno.test("a check that reads without end is unjudged, and says what it read", () => {
  const it = guest();
  const at = it.allocate(8);
  const { unjudged, judged } = checked(
    check(({ kernel }, report) => {
      report.judged(1);
      for (;;) kernel.space.u64(at);
    }),
    it.kernel,
  );
  assert.equal(judged, 1);
  assert.equal(unjudged.length, 1);
  assert.equal(unjudged[0].what, "test");
  assert.match(unjudged[0].why, /the limit of one check; .* no end/);
});

Deno.test("a check that overlooks the end of its budget is not clean", () => {
  const { unjudged } = checked(
    check(({ kernel }, report) => {
      report.judged(1);
      try {
        kernel.space.budget.node("the list at 0x10", 1e12);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
      }
    }),
    guest().kernel,
  );
  assert.match(unjudged[0].why, /the list at 0x10/);
});

Deno.test("a budget belongs to one check: the next has all of it", () => {
  const { kernel } = guest();
  checked(
    check(({ kernel }) => kernel.space.budget.node("a list", 1e12)),
    kernel,
  );
  const { unjudged } = checked(
    check(({ kernel }, report) => {
      kernel.space.budget.node("a list", 1000);
      report.judged(1);
    }),
    kernel,
  );
  assert.deepEqual(unjudged, []);
});

Deno.test("what was found before the budget's end is kept", () => {
  const { findings, unjudged } = checked(
    check(({ kernel }, report) => {
      report.finding({ severity: "high", summary: "", where: "", address: 1n });
      kernel.space.budget.node("a list", 1e12);
    }),
    guest().kernel,
  );
  assert.deepEqual([findings.length, unjudged.length], [1, 1]);
});

Deno.test("an internal error in a check is unjudged, with its name", () => {
  const faults = [
    () => new Uint8Array(-1),
    () => "x".repeat(2 ** 40),
    () => BigInt("no number"),
    () => Reflect.get(JSON.parse("null"), "at"),
    function again(): void {
      again();
    },
  ];
  for (const fault of faults) {
    const { unjudged } = checked(
      check((_, report) => {
        report.judged(1);
        fault();
      }),
      guest().kernel,
    );
    assert.equal(unjudged[0].what, "test");
    assert.match(unjudged[0].why, /^an internal error \(damaged data/);
  }
});

Deno.test("a list that leads into itself behind its head ends", () => {
  const it = guest();
  const [head, first, second] = [16, 16, 16].map((size) => it.allocate(size));
  it.setU64(head, first);
  it.setU64(first, second);
  it.setU64(second, first);
  assert.throws(() => listNodes(it.kernel, head), /circles/);
});

Deno.test("a reading that used up its budget is not repeated", () => {
  const { kernel } = guest();
  const reading = (nodes: number): CheckReading => {
    const { budget } = kernel.space;
    const limits = { of: "it", reads: 9, bytes: 9, nodes: 9, ms: Infinity };
    const spent = budget.within(limits, () => budget.node("a list", nodes));
    const unjudged = [{ what: "a list", why: "damaged" }];
    const said = checked(check((_, report) => report.judged(1)), kernel);
    return { ...said, ms: 1, unjudged, lost: true, spent };
  };
  assert.equal(unsettled(check(() => {}), [reading(1)]), true);
  assert.equal(unsettled(check(() => {}), [reading(10)]), false);
});
