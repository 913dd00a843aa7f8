/** Instances, snapshot buffers, and an instance in memory reserved at boot. */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { TraceArray } from "../../../engine/ftrace/ring/trace_array.ts";
import { openCoreSession } from "../../../engine/session.ts";
import { takeSnapshot } from "../../../engine/snapshot/snapshot.ts";
import { assertDocumented, printed } from "../json_documented_fixture.ts";
import { reportText } from "../matrix/run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  bootGuest,
  type Guest,
  KERNELS,
  NEWEST,
  OLDEST,
  SLOW,
  TRACEFS,
  xftrace,
} from "../support_fixture.ts";

const WORK = "ls -lR /proc/self > /dev/null 2>&1; sleep 0.2";

/** A trace file of the guest. */
async function read(guest: Guest, path: string): Promise<string> {
  const { output } = await guest.exec(`cat ${TRACEFS}/${path}`, SLOW);
  return new TextDecoder().decode(output);
}

for (const kernel of LONG ? [OLDEST, NEWEST] : KERNELS) {
  Deno.test(`instances and snapshots of a ${kernel} guest`, async (t) => {
    await using guest = await bootGuest(
      kernel,
      // Kernels that do not know these parameters ignore them.
      "reserve_mem=8M:4096:mapped trace_instance=mapped@mapped,sched:sched_switch",
    );
    await guest.sh(
      `cd ${TRACEFS}; mkdir instances/one instances/two
       echo function > current_tracer; echo 'vfs_*' > set_ftrace_filter
       echo 1 > instances/one/events/sched/enable
       echo 1 > instances/two/events/syscalls/enable
       ${WORK}
       echo 1 > snapshot; echo 1 > instances/one/snapshot
       ${WORK}
       echo 0 > tracing_on
       for i in instances/*; do echo 0 > $i/tracing_on; done`,
      SLOW,
    );
    using session = attachTo(guest);
    const names = TraceArray.all(session.kernel).map((each) => each.name)
      .filter((name) => name !== undefined);
    const own = (await guest.sh(`ls ${TRACEFS}/instances`)).trim().split(/\s+/);
    assert.deepEqual(names.toSorted(), own.toSorted());
    console.log(`  ${kernel}: instances ${names.join(", ")}`);
    const cases: [string, string | undefined, boolean][] = [
      ["trace", undefined, false],
      ["snapshot", undefined, true],
      ["instances/one/snapshot", "one", true],
      ...names.map((name): [string, string, boolean] => [
        `instances/${name}/trace`,
        name,
        false,
      ]),
    ];
    const texts = new Map<string, string>();
    for (const [path, name, snapshot] of cases) {
      await t.step(path, async () => {
        const want = await read(guest, path);
        texts.set(path, want);
        const got = reportText(session, name, snapshot);
        const lines = assertSameLines(got, want);
        console.log(`  ${kernel} ${path}: ${lines} lines equal`);
        assert.ok(lines > 15, "hardly anything was traced");
      });
    }
    await t.step("a snapshot file contains all of them", async () => {
      const path = await Deno.makeTempFile({ suffix: ".core.zst" });
      try {
        await takeSnapshot(session, path);
        using core = openCoreSession(`core:${path}`, path);
        for (const [file, name, snapshot] of cases) {
          assertSameLines(
            reportText(core, name, snapshot),
            texts.get(file) ?? "",
          );
        }
      } finally {
        await Deno.remove(path);
      }
    });
    // It does not depend on the kernel, so once is enough.
    if (kernel === KERNELS[0]) {
      await t.step("the --json output has the documented types", async () => {
        const target = ["-t", guest.target];
        const folder = await Deno.makeTempDir();
        try {
          const runs = await printed([
            ["Info", ["info", "--timing", ...target]],
            ["Status", ["status", ...target]],
            ["Ps", ["ps"]],
            ["Doctor", ["doctor", guest.target]],
            ["Events", ["events", "sched:*", "--format", ...target]],
            ["Functions", ["functions", "vfs_*", ...target]],
            ["Snapshot", ["snapshot", "-o", `${folder}/a.core.zst`, ...target]],
          ]);
          const report = await xftrace(["kernel-report", ...target]);
          await assertDocumented([...runs, ["KernelReport", report]]);
          // Fails only if the output differs from the types.
          const [[, info]] = runs;
          await assert.rejects(
            assertDocumented([["Snapshot", info]]),
            /Snapshot/,
          );
        } finally {
          await Deno.remove(folder, { recursive: true });
        }
      });
    }
    assertNoOops(guest);
  });
}
