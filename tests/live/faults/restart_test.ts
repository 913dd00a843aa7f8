/**
 * A guest that is paused, restarts within its QEMU, and loses its memory file,
 * while xftrace collects, follows, queries and checks it.
 */
import assert from "node:assert/strict";
import { times } from "../../../engine/base/long_fixture.ts";
import type { CheckRunJson } from "../../../engine/output/findings/findings_json.ts";
import { Guest } from "../../../lab/mod.ts";
import {
  assertNoOops,
  assertOneClearError,
  ended,
} from "../support_fixture.ts";
import {
  assertOffTold,
  assertTold,
  FaultUser,
  hold,
  load,
  prepare,
} from "./guest_fixture.ts";
import { restart, withRestarts } from "./restart_fixture.ts";

/** How long the guest is paused, in seconds. */
const PAUSE = times(4, 65);

Deno.test("a guest that is paused, and loses its memory", async (t) => {
  await using guest = await Guest.boot({ kernel: "6.1" });
  using user = new FaultUser(guest);
  await prepare(guest);
  await load(guest);
  const before = await user.switches();

  await t.step("a pause loses nothing", async () => {
    const { show, query } = await user.begin();
    await guest.qmp("stop");
    const held = await user.collected();
    await hold(PAUSE);
    await user.ok("info");
    const { code, err } = await user.run("check", "--only", "XF002,XF004");
    assert.equal(code, 0, err);
    const still = await user.collected();
    assert.ok(still < held + 500, `${still} events, ${held} before`);
    await guest.qmp("cont");
    await user.collects(20);
    for (const child of [show, query]) {
      child.kill("SIGINT");
      const run = await ended(child);
      assert.equal(run.code, 0, run.err);
      assert.match(run.err, / 0 lost/);
    }
    const off = await user.run("off");
    assert.equal(off.code, 0, off.err);
    assert.match(off.out, /lost: 0 \(counts equal the guest's own\)/);
    assert.deepEqual(await user.switches(), before);
  });

  await t.step(
    "what is written is undone in a guest that is paused",
    async () => {
      await user.ok("on", "--plain", "--depth", "3", "vfs_read");
      await user.collects(5);
      // The host stops QEMU itself: not even its monitor answers.
      Deno.kill(guest.pid, "SIGSTOP");
      const off = await user.run("off");
      Deno.kill(guest.pid, "SIGCONT");
      assert.equal(off.code, 0, off.err);
      assert.deepEqual(await user.switches(), before);
    },
  );

  await t.step("a memory file that is cut short is told", async () => {
    const followers = await user.begin();
    // It would end with its memory.
    await guest.qmp("stop");
    const check = user.start("check");
    await hold(1.5);
    assert.ok(guest.memoryFile !== undefined);
    await Deno.truncate(guest.memoryFile, 64 << 20);
    await assertTold(
      followers,
      /has lost its memory \(its file was cut short\)/,
    );
    await user.noticed();
    const checked = await ended(check);
    // It may have been done, or not have begun, by then.
    if (checked.code !== 0) {
      assertOneClearError(checked, /cut short|needs \d+ bytes of/);
    }
    assertOneClearError(
      await user.run("info"),
      /needs \d+ bytes of .*, which has/,
    );
    assertOffTold(user, await user.run("off"), /has lost its memory .* before/);
  });
});

Deno.test("a restart is told, and nothing is written to the new kernel", () =>
  withRestarts("6.1", async (guest) => {
    using user = new FaultUser(guest);
    await prepare(guest);
    await load(guest);
    // It records this boot's text; there is nothing to compare it with yet.
    await user.run("check", "--only", "XF020");
    const followers = await user.begin();
    await restart(guest, async () => {
      await assertTold(followers, /was restarted/);
      await user.noticed();
      assert.equal(user.ended(), "the guest was restarted");
    });
    await prepare(guest);
    const fresh = await user.switches();
    assert.match(
      await user.ok("status"),
      /the guest was restarted; `xftrace off` writes what was collected/,
    );
    assertOneClearError(
      await user.run("on", "--plain", "vfs_read"),
      /was not ended: the guest was restarted; run `xftrace off/,
      1,
    );
    assertOffTold(
      user,
      await user.run("off"),
      /the guest was restarted before/,
    );
    assert.deepEqual(await user.switches(), fresh);
    await load(guest);
    await user.ok("on", "--plain", "--depth", "3", "vfs_read");
    await user.collects(5);
    await user.ok("off");
    assert.deepEqual(await user.switches(), fresh);

    // The record of kernel text belongs to one boot.
    const check = async (...only: string[]) => {
      const { out } = await user.run("check", ...only, "--json");
      const run: CheckRunJson = JSON.parse(out);
      return run;
    };
    const first = await check("--only", "XF020");
    assert.match(JSON.stringify(first), /since then it has been restarted/);
    const again = await check("--only", "XF020");
    assert.equal(again.verdict, "clean");
    assert.doesNotMatch(JSON.stringify(again), /restarted/);
    // What the earlier kernel left in memory is nobody's.
    const whole = await check();
    assert.equal(whole.verdict, "clean", JSON.stringify(whole, null, 2));
    assertNoOops(guest);
  }));
