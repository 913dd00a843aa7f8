/**
 * Controlling a running guest by plain writes to its memory.
 */
import assert from "node:assert/strict";
import type { Session } from "../../engine/session.ts";
import type { Info } from "../../scripts/cli/commands/info.ts";
import {
  assertNoOops,
  attachTo,
  bootGuest,
  ended,
  guestSwitches,
  KERNELS,
  NEWEST,
  SLOW,
  startXftrace,
  TRACEFS,
  xftraceOk,
} from "./support_fixture.ts";

for (const kernel of [...KERNELS, NEWEST]) {
  Deno.test(`a stock ${kernel} guest is controlled from the host`, async (t) => {
    await using guest = await bootGuest(kernel);
    const target = ["-t", guest.target];

    await t.step("the plan's writes are carried out, and undone", async () => {
      await guest.sh(
        `cd ${TRACEFS}; echo 0 > tracing_on
         echo 'vfs_*' > set_ftrace_filter; echo 'do_*' >> set_ftrace_filter
         echo '__x64_sys_*' >> set_ftrace_filter
         echo vfs_open > set_graph_function
         echo vfs_read >> set_graph_function
         echo function_graph > current_tracer
         echo 1 > events/sched/sched_switch/enable`,
        SLOW,
      );
      const before = await guestSwitches(guest);
      const args = [
        ...["--depth", "2", "--mute", "sched:sched_switch"],
        ...["--without-cpu", "1"],
        ...["sys_openat", "vfs_statx", ...target],
      ];
      using session = attachTo(guest);
      const memory = words(session);
      const plan = await xftraceOk(["on", "--dry-run", ...args]);
      assert.deepEqual(await guestSwitches(guest), before);
      const planned = [...plan.matchAll(/ 0x([0-9a-f]+) {2}[48] B {2}0x/g)]
        .map((match) => BigInt(`0x${match[1]}`));
      assert.ok(planned.length > 5, plan);
      const values = planned.map((gva) => memory(gva));
      const folder = await Deno.makeTempDir();

      const child = startXftrace(["on", "--foreground", ...args], {}, folder);
      const until = Date.now() + 30_000;
      while (
        (await guest.sh(`cat ${TRACEFS}/tracing_on`)).trim() !== "1" &&
        Date.now() < until
      );
      const during = (await guestSwitches(guest)).join("\n");
      assert.match(during, /== tracing_on\n1/);
      assert.match(during, /== max_graph_depth\n2/);
      // Our graph roots have replaced those that the guest had.
      assert.match(during, /__x64_sys_openat/);
      assert.match(during, /vfs_statx/);
      assert.doesNotMatch(during, /vfs_open|vfs_read/);
      // Only CPU 0 records.
      await guest.sh("taskset 1 find /sys/kernel -name x; sleep 1", SLOW);
      child.kill("SIGINT");
      const run = await ended(child);
      assert.equal(run.code, 0, run.err);
      assert.deepEqual(await guestSwitches(guest), before);
      assert.deepEqual(planned.map((gva) => memory(gva)), values);
      const text = await Deno.readTextFile(`${folder}/trace_graph.txt`);
      assert.match(text, /__x64_sys_openat\(\)/);
      assert.doesNotMatch(text, /sched_switch/);
      assert.doesNotMatch(text, /^ 1\)/m, "CPU 1 was to be left out");
      // Roots and the functions that they call, but nothing deeper.
      assert.doesNotMatch(text, /\| {6}\w/);
      console.log(`  ${kernel}: ${planned.length} words written and undone`);
      await Deno.remove(folder, { recursive: true });
    });

    await t.step("a System.map can replace kallsyms", async () => {
      const file = await Deno.makeTempFile();
      await Deno.writeFile(file, await guest.get("/proc/kallsyms"));
      const info: Info = JSON.parse(
        await xftraceOk(["info", "--json", "--system-map", file, ...target]),
      );
      assert.equal(info.kernel.describedBy, "System.map");
      assert.equal(info.ftrace.tracer, "function_graph");
      await Deno.remove(file);
    });

    assertNoOops(guest);
  });
}

/** Reads words of guest memory; of words of 8 bytes, the lower half. */
function words(session: Session): (gva: bigint) => number {
  return (gva) => session.kernel.space.u32(gva);
}
