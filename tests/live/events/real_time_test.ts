/**
 * PREEMPT_RT kernels: their flags of lazy preemption, and the headers that go
 * with them.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import { reportText } from "../matrix/run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  KERNELS,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

/** What is recorded: events, or a tracer. */
const TRACERS = ["nop", "function_graph", "timerlat", "osnoise", "hwlat"];

for (const kernel of LONG ? KERNELS : []) {
  Deno.test(`the text of a real-time ${kernel} guest is its own`, async () => {
    await using guest = await Guest.boot({
      kernel,
      flavour: "rt-amd64",
      cpus: 2,
    });
    for (const tracer of TRACERS) {
      await guest.sh(
        `cd ${TRACEFS}; echo 0 > tracing_on; echo ${tracer} > current_tracer
         echo > trace; for e in sched irq timer signal; do
           [ ${tracer} != nop ] || echo 1 > events/$e/enable; done
         echo 1 > tracing_on
         for i in 1 2 3; do ls -R /proc/1 > /dev/null 2>&1; sleep 0.3; done
         sleep 1; echo 0 > tracing_on; echo 0 > events/enable`,
        SLOW,
      );
      for (const form of ["latency-format", "nolatency-format"]) {
        await guest.sh(`echo ${form} > ${TRACEFS}/trace_options`);
        const own = await guest.sh(`cat ${TRACEFS}/trace`, SLOW);
        using session = attachTo(guest);
        const lines = assertSameLines(reportText(session), own);
        console.log(`  ${kernel}-rt ${tracer}, ${form}: ${lines} lines`);
        if (tracer !== "nop" || form === "latency-format") continue;
        // Lazily, as 6.12 shows it or in a column of its own.
        assert.match(own, /\] [.dD][lbLB]|\] [.dD][.nNp]L/);
      }
    }
    assertNoOops(guest);
  });
}
