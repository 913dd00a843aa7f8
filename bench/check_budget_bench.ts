/**
 * What a check's budget costs: all checks of a recording, with it and without,
 * in turn. `XFTRACE_BENCH_CORE` names a recording; a full one takes longest.
 *
 * @module
 */
import { open } from "xftrace";
import { checks, runChecks } from "xftrace/detect";

const path = Deno.env.get("XFTRACE_BENCH_CORE") ??
  "testdata/guest-6.1.core.zst";
const guest = await open(`core:${path}`);
const { kernel } = guest.session;
const { budget } = kernel.space;
const { read, node } = budget;

for (const spends of [true, false]) {
  Deno.bench({
    name: spends ? "all checks, with their budgets" : "without",
    group: "check",
    baseline: !spends,
    async fn() {
      budget.read = spends ? read : () => {};
      budget.node = spends ? node : () => {};
      await runChecks(kernel, checks);
    },
  });
}
