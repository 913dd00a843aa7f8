/**
 * Following while the guest changes its buffers: every line that its kernel
 * accepted is decoded, or counted as lost.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { followMarkers } from "./markers_fixture.ts";
import {
  assertNoOops,
  bootGuest,
  KERNELS,
  NEWEST,
  OLDEST,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

/** What the guest does, by the step's name. */
const CHURN: Readonly<Record<string, string>> = {
  "nothing": "sleep 3",
  "resizes all buffers":
    `for k in 512 2048 256 4096 64 4096; do echo $k > buffer_size_kb; usleep 300000; done`,
  "resizes one CPU's buffer":
    `for k in 512 2048 256 4096; do echo $k > per_cpu/cpu0/buffer_size_kb; usleep 300000; done
     echo 4096 > buffer_size_kb`,
  "takes whole pages (trace_pipe_raw)": `for i in 1 2; do
     timeout 2 cat per_cpu/cpu0/trace_pipe_raw > /dev/null &
     timeout 2 cat per_cpu/cpu1/trace_pipe_raw > /dev/null; wait $!
   done; true`,
  "reads trace_pipe": "timeout 3 cat trace_pipe > /dev/null; true",
  "takes snapshots":
    `for i in 1 2 3 4 5; do echo 1 > snapshot; usleep 400000; done; echo 0 > snapshot`,
  "takes snapshots of one CPU": `echo 1 > snapshot
     for i in 1 2 3 4; do echo 1 > per_cpu/cpu0/snapshot; usleep 400000; done 2>/dev/null
     echo 0 > snapshot`,
  // Nothing in the guest calls the function, so that all that is traced is lines.
  "switches tracers": `echo vfs_rename > set_ftrace_filter
     for t in function nop function_graph nop; do echo $t > current_tracer; sleep 1; done`,
  "empties its buffers":
    "for i in 1 2 3 4; do echo > trace; usleep 600000; done",
  "empties one CPU's buffer":
    "for i in 1 2 3 4; do echo > per_cpu/cpu0/trace; usleep 600000; done",
  "turns recording off and on":
    `for i in 1 2 3 4; do echo 0 > tracing_on; usleep 200000; echo 1 > tracing_on; usleep 200000; done`,
  "changes the sub-buffers' size": `[ -e buffer_subbuf_size_kb ] || exit 0
     for k in 8 4 16 4; do echo $k > buffer_subbuf_size_kb; usleep 500000; done`,
};

for (const kernel of LONG ? [OLDEST, NEWEST] : KERNELS) {
  Deno.test(`following while a ${kernel} guest changes its buffers`, async (t) => {
    await using guest = await bootGuest(kernel);
    await guest.sh(
      `cd ${TRACEFS}; echo 0 > events/enable; echo 4096 > buffer_size_kb`,
      SLOW,
    );
    for (const [what, churn] of Object.entries(CHURN)) {
      await t.step(`the guest ${what}`, async () => {
        const found = await followMarkers(
          guest,
          `cd ${TRACEFS}; ${churn}`,
          { pollMs: 10 },
        );
        const { accepted, decoded, others, repeated, totals } = found;
        console.log(
          `  ${kernel} ${what}: ${accepted} accepted, ${decoded} decoded, ` +
            `${totals.lost} lost, ${totals.late} late, ${totals.resets} resets` +
            (totals.blindResets > 0 ? ` (${totals.blindResets} blind)` : ""),
        );
        assert.ok(accepted > 1000, "hardly anything was traced");
        // A line that was handed out late, because another CPU's buffer could
        // not be read meanwhile, is counted as that. One that came twice would
        // be one too many below.
        assert.ok(
          repeated <= totals.late,
          `${repeated} lines came out of order, and ${totals.late} events late`,
        );
        assert.equal(others, 0, "something else was traced");
        assert.equal(decoded, totals.decoded);
        assert.equal(totals.exact, true);
        // Events that the guest itself discards unseen cannot be counted; only
        // the fact is known.
        if (totals.blindResets === 0) {
          assert.equal(decoded + totals.lost, accepted);
        } else assert.ok(decoded + totals.lost <= accepted);
      });
    }
    assertNoOops(guest);
  });
}
