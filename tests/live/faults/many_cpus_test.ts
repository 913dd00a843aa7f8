/**
 * A guest with as many processors as the lab boots. For the long suite: emulated,
 * it takes minutes to boot.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import { followMarkers } from "../resize/markers_fixture.ts";
import { moduleFor } from "../seal/support_fixture.ts";
import { SLOW, TRACEFS } from "../support_fixture.ts";
import type { SealedOff } from "../../../scripts/cli/off/sealed.ts";
import { FaultUser } from "./guest_fixture.ts";

/** What the test reads of a verdict. */
interface Verification {
  readonly problems: readonly string[];
  readonly total: Readonly<Record<string, number>>;
}

const CPUS = 64;

/** Opens files on all processors at once, some times on each. */
const EVERYWHERE = `for cpu in $(seq 0 ${CPUS - 1}); do
  taskset -c $cpu sh -c 'for i in 1 2 3 4 5; do cat /proc/self/maps; done' > /dev/null &
done; wait`;

if (LONG) {
  Deno.test(`a guest with ${CPUS} processors, 6.1`, async (t) => {
    const module = await moduleFor("6.1");
    const booted = performance.now();
    await using guest = await Guest.boot({
      kernel: "6.1",
      cpus: CPUS,
      mem: "2G",
      bootSeconds: 1200,
      lifeSeconds: 7200,
    });
    using user = new FaultUser(guest);
    const seconds = (since: number) =>
      ((performance.now() - since) / 1000).toFixed(1);
    console.log(`  up in ${seconds(booted)} s`);

    await t.step("it is checked", async () => {
      const start = performance.now();
      const { code, out, err } = await user.run("check");
      console.log(`  checked in ${seconds(start)} s`);
      assert.equal(code, 0, out + err);
      assert.match(out, new RegExp(`root verified by ${CPUS} CPUs`));
    });

    await t.step("all that is traced is followed", async () => {
      await guest.sh(`cd ${TRACEFS}; echo 0 > events/enable`, SLOW);
      const { accepted, decoded, totals, repeated } = await followMarkers(
        guest,
        `for cpu in $(seq 0 ${CPUS - 1}); do
           for p in $(pgrep sh); do taskset -cp $cpu $p; done > /dev/null 2>&1
         done`,
        { pollMs: 10, pause: "usleep 2000" },
      );
      console.log(
        `  ${accepted} lines, ${decoded} decoded, ${totals.lost} lost`,
      );
      assert.ok(accepted > 100);
      assert.deepEqual([repeated, totals.exact], [0, true]);
      assert.equal(decoded + totals.lost, accepted);
    });

    await t.step("a sealed trace is genuine on all of them", async () => {
      await guest.put(module, "/tmp/xftrace.ko");
      await guest.sh("insmod /tmp/xftrace.ko", SLOW);
      await user.ok("on", "sys_openat", "--rotate", "100");
      await guest.sh(EVERYWHERE, SLOW);
      const { collector } = await user.status();
      const { code, out, err } = await user.run("off", "--json");
      const off: SealedOff & { verification: Verification } = JSON.parse(out);
      const { problems, total } = off.verification;
      console.log(
        `  ${off.lines} lines, ${total.verified} entries, ${off.keySwitches} keys taken`,
      );
      // So many emulated processors share those of the host that the module's
      // thread may not run for seconds, which is told.
      const slow = /no heartbeat|the key log has no end/;
      for (const problem of problems) {
        console.log(`  ${problem}`);
        assert.match(problem, slow);
      }
      assert.equal(code, problems.length === 0 ? 0 : 2, err);
      const { verified, ...others } = total;
      assert.ok(verified > CPUS * 10, `${verified} entries`);
      assert.deepEqual(Object.values(others).filter((n) => n !== 0), []);
      assert.equal(collector?.sealed?.cpus.length, CPUS);
      assert.ok(off.lines > CPUS * 5);
    });
  });
}
