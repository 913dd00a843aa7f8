/**
 * An instance in memory that outlives a restart: what it shows of the boot
 * before. 6.12 and later have such.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { lastBoot } from "../../../engine/ftrace/boot/last_boot.ts";
import { openInstance } from "../../../engine/ftrace/ring/open_instance.ts";
import { XftraceError } from "../../../engine/base/errors.ts";
import { restart, withRestarts } from "../faults/restart_fixture.ts";
import { reportText } from "../matrix/run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  type Guest,
  NEWEST,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

const INSTANCE = `${TRACEFS}/instances/mapped`;

/**
 * The same place in each boot. Where `reserve_mem` puts it depends on where the
 * kernel lies (KASLR), and is at times another place after a restart.
 */
const REGION = "memmap=8M$0x10000000 trace_instance=mapped@0x10000000:8M";

/** Functions of the kernel and of modules, stacks, and places in fields. */
const RECORD = `modprobe loop; modprobe veth
 cd ${INSTANCE}; echo 'vfs_*' > set_ftrace_filter
 for m in loop veth; do echo ":mod:$m" >> set_ftrace_filter; done
 echo 1 > options/stacktrace
 for e in sched/sched_switch timer kmem/kmalloc module workqueue irq; do
   echo 1 > events/$e/enable
 done
 echo 0 > tracing_on; echo TRACER > current_tracer; echo 1 > tracing_on
 echo 'from the boot before' > trace_marker
 modprobe dummy; ip link add v0 type veth peer name v1; ip link del v0
 ls -lR /proc/self > /dev/null 2>&1
 echo 0 > tracing_on; true`;

/** What is done after the restart, each followed by a comparison. */
const STEPS: Readonly<Record<string, string>> = {
  "as it was found": "true",
  "modules loaded, elsewhere": "modprobe dummy; modprobe loop; modprobe veth",
  "fields": `echo fields > ${INSTANCE}/trace_options`,
  "sym-addr": `for o in nofields sym-addr sym-offset; do
    echo $o > ${INSTANCE}/trace_options; done`,
  "latency-format": `for o in nosym-addr nosym-offset latency-format; do
    echo $o > ${INSTANCE}/trace_options; done`,
};

async function ownTrace(guest: Guest): Promise<string> {
  const { output } = await guest.exec(`cat ${INSTANCE}/trace`, SLOW);
  return new TextDecoder().decode(output);
}

const CASES: readonly (readonly [kernel: string, tracer: string])[] = LONG
  ? [["6.12", "function"], ["6.12", "function_graph"], [NEWEST, "function"], [
    NEWEST,
    "function_graph",
  ]]
  : [["6.12", "function"]];

for (const [kernel, tracer] of CASES) {
  Deno.test(`${tracer} in the boot before of a ${kernel} guest`, async () => {
    await withRestarts(kernel, async (guest) => {
      await guest.sh(RECORD.replace("TRACER", tracer), SLOW);
      const before = await ownTrace(guest);
      {
        using session = attachTo(guest);
        assertSameLines(reportText(session, "mapped"), before);
        const { instance } = openInstance(session, "mapped");
        assert.equal(lastBoot(instance), undefined);
      }
      await restart(guest, () => Promise.resolve());
      for (const [step, work] of Object.entries(STEPS)) {
        await guest.sh(work, SLOW);
        const own = await ownTrace(guest);
        using session = attachTo(guest);
        const lines = assertSameLines(reportText(session, "mapped"), own);
        console.log(`  ${kernel} ${tracer}, ${step}: ${lines} lines`);
        assert.ok(lines > 1000, `${lines} lines`);
        const { instance } = openInstance(session, "mapped");
        const boot = lastBoot(instance);
        assert.ok(boot, "the events are taken for this boot's");
        const names = boot.modules?.map(({ name }) => name);
        if (names !== undefined) {
          assert.ok(["loop", "veth", "dummy"].every((m) => names.includes(m)));
        }
        // In `fields`, markers and calls are of unknown types.
        if (step !== "fields") {
          assert.match(own, /from the boot before/);
          assert.match(own, /vfs_\w+/);
        }
      }
      assertNoOops(guest);
    }, REGION);
  });
}

if (LONG) {
  Deno.test("a 6.1 guest has no such instance, and that is said", async () => {
    await withRestarts("6.1", (guest) => {
      using session = attachTo(guest);
      assert.throws(
        () => openInstance(session, "mapped"),
        (error) =>
          error instanceof XftraceError && /mapped/.test(error.message),
      );
      return Promise.resolve();
    }, REGION);
  });
}
