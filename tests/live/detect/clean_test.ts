/** Checks find nothing in clean guests, even under load. */
import assert from "node:assert/strict";
import { LONG, times } from "../../../engine/base/long_fixture.ts";
import { textRecords } from "../../../engine/detect/text/text_record.ts";
import { readKernelFile } from "../../../scripts/cli/kernel_file.ts";
import {
  assertClean,
  blameGuest,
  buildFixtures,
  check,
  vmlinuzOf,
} from "./support_fixture.ts";
import { noPause } from "./clock_fixture.ts";
import { modulesOf } from "./text_fixture.ts";
import {
  attachTo,
  bootGuest,
  type Guest,
  KERNELS,
  NEWEST,
  OLDEST,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

const RUNS = times(6, 50);

/**
 * Loads and unloads modules, sets and removes probes and tracers, starts and
 * ends processes. Each round restores everything. It goes on until a file is
 * removed.
 */
const LOAD = `
cd ${TRACEFS}
while [ -e /tmp/load ]; do
  for m in dummy loop veth tun nf_tables iptable_filter; do modprobe $m; done
  modprobe -r dummy; modprobe -r veth; modprobe -r tun
  echo 'p:one vfs_read' > kprobe_events
  echo 'r:two vfs_write' >> kprobe_events
  echo 'p:three do_sys_openat2+20' >> kprobe_events
  echo 1 > events/kprobes/enable
  echo 'vfs_*' > set_ftrace_filter
  echo function > current_tracer; ls -R /proc/1 > /dev/null 2>&1
  echo function_graph > current_tracer; find / -xdev > /dev/null 2>&1
  echo 0 > events/kprobes/enable; echo > kprobe_events
  echo nop > current_tracer; echo > set_ftrace_filter
  echo 1 > events/sched/enable; ls / > /dev/null; echo 0 > events/sched/enable
  echo 0 > tracing_on; echo 1 > tracing_on; echo > trace
  for i in 1 2 3 4 5 6 7 8 9 10; do (true); sleep 0.01 & done; wait
  modprobe -r iptable_filter; modprobe -r nf_tables
done
rm /tmp/loading
`;

for (const kernel of LONG ? [OLDEST, ...KERNELS, NEWEST] : KERNELS) {
  Deno.test(`nothing is found in a busy ${kernel} guest`, async (t) => {
    await using guest = await bootGuest(kernel);
    using session = attachTo(guest);
    await t.step(
      `${RUNS} runs under load`,
      () =>
        blameGuest(guest, async () => {
          await startLoad(guest, await buildFixtures(kernel));
          // Alternately with trusted files, with a record, and with neither.
          const trusted = {
            vmlinux: readKernelFile(await vmlinuzOf(kernel)),
            moduleFiles: await modulesOf(kernel),
          };
          const folder = Deno.makeTempDirSync();
          using _ = {
            [Symbol.dispose]: () =>
              Deno.removeSync(folder, { recursive: true }),
          };
          const recorded = { textRecords: textRecords(folder, "boot") };
          for (let i = 0; i < RUNS; i++) {
            const options = [trusted, recorded, {}][i % 3];
            assertClean(await check(session.kernel, [], options));
            await new Promise((done) => setTimeout(done, 250));
          }
          await guest.sh(
            "rm /tmp/load; while [ -e /tmp/loading ]; do sleep 0.2; done",
            SLOW,
          );
        }),
    );
    await t.step(
      "the kernel's own probes and hooks are recognised",
      () => blameGuest(guest, () => known(guest, session)),
    );
    await t.step(
      "checks pause no CPU, as the guest's own clock shows",
      async () => {
        const folder = await buildFixtures(kernel);
        await blameGuest(
          guest,
          () => noPause(guest, session, `${folder}/clock_gaps`),
        );
      },
    );
  });
}

async function startLoad(guest: Guest, fixtures: string): Promise<void> {
  await guest.put(`${fixtures}/bpf_load`, "/tmp/bpf_load", 0o755);
  const said = await guest.sh(
    `(/tmp/bpf_load > /tmp/bpf.log 2>&1 &)
     until grep -q '^socket filter' /tmp/bpf.log; do sleep 0.1; done
     cat /tmp/bpf.log`,
    SLOW,
  );
  assert.equal(said.match(/ ok$/gm)?.length, 5, said);
  await guest.put(new TextEncoder().encode(LOAD), "/tmp/load.sh");
  await guest.sh(
    "touch /tmp/load /tmp/loading; (sh /tmp/load.sh > /dev/null 2>&1 &)",
  );
}

async function known(
  guest: Guest,
  session: ReturnType<typeof attachTo>,
): Promise<void> {
  await guest.sh(
    `cd ${TRACEFS}; modprobe iptable_filter
     echo 'p:one vfs_read' > kprobe_events; echo 1 > events/kprobes/enable`,
  );
  const run = await check(session.kernel, ["XF004", "XF005", "XF007"]);
  await guest.sh(
    `cd ${TRACEFS}; echo 0 > events/kprobes/enable; echo > kprobe_events`,
  );
  assertClean(run);
  const lines = run.outcomes.flatMap(({ known }) => known).join("\n");
  assert.match(lines, /kprobe on vfs_read.* by kprobe_dispatcher/);
  assert.match(lines, /listens to .*bpf_lsm_file_open/);
}
