/**
 * The tracers of latencies (wakeup, wakeup_rt, wakeup_dl), which Debian's
 * PREEMPT_RT kernels have: of these, `trace` shows the longest latency.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { openCoreSession } from "../../../engine/session.ts";
import { takeSnapshot } from "../../../engine/snapshot/snapshot.ts";
import { Guest, guestProgram } from "../../../lab/mod.ts";
import { reportText } from "../matrix/run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  KERNELS,
  NEWEST,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

/** For tasks with deadlines, which busybox's chrt does not make. */
const CHRT = {
  package: "util-linux",
  program: "usr/bin/chrt",
  folder: "util-linux",
};

/** What is woken up, of the kind that each tracer looks for. */
const TRACERS: Readonly<Record<string, string>> = {
  wakeup: "ls -lR /proc/self > /dev/null 2>&1; sleep 0.1",
  wakeup_rt: "chrt -f 50 sleep 0.1",
  wakeup_dl: "/usr/bin/chrt -d --sched-runtime 10000000 " +
    "--sched-deadline 50000000 --sched-period 50000000 0 sleep 0.1",
};

/** Ways to write it, as options of the trace. */
const FORMS = [
  "latency-format",
  "verbose",
  "noverbose sym-offset sym-addr",
  "nosym-offset nosym-addr nolatency-format",
];

for (const kernel of LONG ? [...KERNELS, NEWEST] : KERNELS.slice(-1)) {
  Deno.test(`the longest latency of a real-time ${kernel} guest`, async () => {
    await using guest = await Guest.boot({
      kernel,
      flavour: "rt-amd64",
      cpus: 2,
    });
    for (const { path, data } of await guestProgram(CHRT, () => {})) {
      await guest.put(data, `/${path}`, 0o755);
    }
    const own = await guest.sh(`cat ${TRACEFS}/available_tracers`);
    for (const [tracer, work] of Object.entries(TRACERS)) {
      assert.ok(own.split(/\s/).includes(tracer), own);
      await guest.sh(
        `cd ${TRACEFS}; echo 0 > tracing_on; echo ${tracer} > current_tracer
         echo 0 > tracing_max_latency; echo 1 > tracing_on
         for i in 1 2 3 4 5; do ${work}; done
         echo 0 > tracing_on`,
        SLOW,
      );
      for (const form of FORMS) {
        await guest.sh(
          `for o in ${form}; do echo $o > ${TRACEFS}/trace_options; done`,
        );
        const trace = await guest.sh(`cat ${TRACEFS}/trace`, SLOW);
        using session = attachTo(guest);
        const lines = assertSameLines(reportText(session), trace);
        console.log(`  ${kernel}-rt ${tracer}, ${form}: ${lines} lines`);
        assert.ok(lines > 15, "there is no latency");
        // The file snapshot is busy meanwhile: it is the same.
        assertSameLines(reportText(session, undefined, true), trace);
        if (form !== FORMS[0]) continue;
        assert.match(trace, /^# latency: [1-9]\d* us, #\d+\/\d+, CPU#\d/m);
        assert.match(
          trace,
          /us.: +\d+: *\d+:\w +\+ \[\d{3}\] +\d+: *-?\d+:\w \S/,
        );
        const path = await Deno.makeTempFile({ suffix: ".core.zst" });
        try {
          await takeSnapshot(session, path);
          using core = openCoreSession(`core:${path}`, path);
          assertSameLines(reportText(core), trace);
        } finally {
          await Deno.remove(path);
        }
      }
    }
    assertNoOops(guest);
  });
}
