/**
 * A guest whose processors come and go while it is traced.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import { followMarkers } from "../resize/markers_fixture.ts";
import { assertNoOops, KERNELS, SLOW, TRACEFS } from "../support_fixture.ts";
import { moduleFor } from "../seal/support_fixture.ts";
import { FaultUser, hold, load, unload, until } from "./guest_fixture.ts";
import { addCpu, setCpu } from "./machine_fixture.ts";

/**
 * A guest that may have a third processor. That of kernel 6.12 has it from the
 * beginning, but offline.
 */
async function withSpareCpu(kernel: string): Promise<Guest> {
  return await Guest.boot(
    kernel === "6.1"
      ? { kernel, maxCpus: 3 }
      : { kernel, cpus: 3, append: "maxcpus=2" },
  );
}

/** Has the guest use its third processor. */
async function useSpareCpu(guest: Guest, kernel: string): Promise<void> {
  if (kernel === "6.1") await addCpu(guest, 2);
  else await setCpu(guest, 2, true);
}

/** Runs what writes the lines of a trace on one processor. */
function pinned(cpu: number): string {
  return `for p in $(pgrep sh); do taskset -p ${
    (1 << cpu).toString(16)
  } $p; done > /dev/null 2>&1; sleep 1`;
}

for (const kernel of KERNELS) {
  if (kernel === "6.12" && !LONG) continue;

  Deno.test(`a guest whose processors come and go, ${kernel}`, async (t) => {
    await using guest = await withSpareCpu(kernel);

    await t.step("all that is traced is followed", async () => {
      await guest.sh(
        `cd ${TRACEFS}; echo 0 > events/enable; echo 4096 > buffer_size_kb`,
        SLOW,
      );
      const entries = async () => {
        const stats = await guest.sh(`cat ${TRACEFS}/per_cpu/cpu2/stats`);
        return Number(/^entries: (\d+)/.exec(stats)?.[1]);
      };
      let onNew = 0;
      const found = await followMarkers(guest, async () => {
        await useSpareCpu(guest, kernel);
        await until("lines are written on the new processor", async () => {
          await guest.sh(pinned(2), SLOW);
          onNew = await entries();
          return onNew > 100;
        });
        await setCpu(guest, 2, false);
        await setCpu(guest, 1, false);
        await hold(1);
        await setCpu(guest, 1, true);
        await guest.sh(pinned(1), SLOW);
      }, { pollMs: 10 });
      const { accepted, decoded, others, repeated, totals } = found;
      console.log(
        `  ${kernel}: ${accepted} accepted, ${onNew} of them on the new processor, ${decoded} decoded, ${totals.lost} lost`,
      );
      assert.deepEqual([repeated, others, totals.exact], [0, 0, true]);
      assert.equal(decoded, accepted);
    });

    if (LONG) {
      await t.step(
        "a sealed trace is genuine, and has no finding",
        async () => {
          const module = await moduleFor(kernel);
          await guest.put(module, "/tmp/xftrace.ko");
          await guest.sh("insmod /tmp/xftrace.ko", SLOW);
          using user = new FaultUser(guest);
          await load(guest);
          await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
          await user.collects(20);
          await setCpu(guest, 2, true);
          await guest.sh(pinned(2), SLOW);
          await user.collects(20);
          await setCpu(guest, 2, false);
          await user.collects(20);
          await setCpu(guest, 1, false);
          await user.collects(20);
          await setCpu(guest, 1, true);
          await user.collects(20);
          const { collector } = await user.status();
          const off = await user.off();
          assert.equal(off.verification.clean, true, JSON.stringify(off));
          assert.deepEqual(collector?.sealed?.findings, []);
          assert.ok(
            collector?.sealed?.cpus.some(({ cpu }) => cpu === 2),
            "nothing was traced on the new processor",
          );
          await unload(guest);
        },
      );
    }

    assertNoOops(guest);
  });
}
