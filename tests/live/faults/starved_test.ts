/**
 * A guest that restarts on a host which hardly lets it run: what takes seconds
 * takes minutes then, and must be told all the same. For the long suite.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import type { Guest } from "../../../lab/mod.ts";
import { moduleFor } from "../seal/support_fixture.ts";
import { assertNoOops } from "../support_fixture.ts";
import { starve } from "./cpu_share_fixture.ts";
import { assertOffTold, FaultUser, load, prepare } from "./guest_fixture.ts";
import { restart, withRestarts } from "./restart_fixture.ts";

/**
 * The share of a processor: with it, it takes over a minute until the next
 * kernel has overwritten the one before.
 */
const SHARE = 0.06;

/** Restarts a guest that hardly runs; `off` is called once that was noticed. */
async function slowRestart(
  guest: Guest,
  user: FaultUser,
  off: () => Promise<void>,
): Promise<void> {
  await restart(guest, async () => {
    await using _starved = starve(guest, SHARE);
    const start = performance.now();
    await user.noticed();
    console.log(
      `  noticed after ${((performance.now() - start) / 1000).toFixed(0)} s`,
    );
    assert.equal(user.ended(), "the guest was restarted");
    await off();
  });
  assertNoOops(guest);
}

if (LONG) {
  Deno.test("a sealed trace of a guest that hardly runs, and restarts", () =>
    withRestarts("6.1", async (guest) => {
      using user = new FaultUser(guest);
      await guest.put(await moduleFor("6.1"), "/tmp/xftrace.ko");
      await guest.sh("insmod /tmp/xftrace.ko");
      await load(guest);
      await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
      await user.collects(20);
      await slowRestart(guest, user, async () => {
        const off = await user.run("off");
        assert.match(off.out, /^all +\d+( +0){7}$/m, off.err);
        assert.match(off.err, /as its processors show, .* all of it verified/);
        assert.equal(off.code, 69, off.err);
      });
    }));

  Deno.test("a stock trace of a guest that hardly runs, and restarts", () =>
    withRestarts("6.1", async (guest) => {
      using user = new FaultUser(guest);
      await prepare(guest);
      await load(guest);
      await user.ok("on", "--plain", "--depth", "3", "vfs_read");
      await user.collects(20);
      await slowRestart(guest, user, async () => {
        const off = await user.run("off");
        assertOffTold(user, off, /the guest was restarted before/);
      });
    }));
}
