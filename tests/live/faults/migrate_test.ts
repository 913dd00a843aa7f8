/**
 * A guest that is moved to another QEMU on the same host while it is traced: the
 * QEMU in which that began stays, with its memory, and runs it no more.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import { moduleFor } from "../seal/support_fixture.ts";
import {
  assertNoOops,
  assertOneClearError,
  ended,
  KERNELS,
  SLOW,
  startXftrace,
  xftrace,
} from "../support_fixture.ts";
import { assertTold, FaultUser, load, prepare } from "./guest_fixture.ts";

/** A user who knows where the guest is now. */
function userOf(guest: Guest, before: FaultUser): FaultUser {
  return new FaultUser(guest, { folder: before.folder, state: before.state });
}

for (const kernel of KERNELS) {
  if (kernel === "6.12" && !LONG) continue;

  Deno.test(`a guest that is migrated while it is traced, ${kernel}`, async (t) => {
    await using source = await Guest.boot({ kernel });
    using user = new FaultUser(source);
    await prepare(source);
    await load(source);
    const before = await user.switches();
    const followers = await user.begin();
    await using moved = await source.migrate({ name: `${source.name}-to` });
    using there = userOf(moved, user);

    await t.step(
      "all that follow it say so, and have it complete",
      async () => {
        await assertTold(
          followers,
          /was migrated away/,
          /migrated away with what this run had set in it, .*: max_graph_depth/,
        );
        await user.noticed();
        assert.equal(user.ended(), "the guest was migrated away");
        assert.match(await user.ok("status"), /the guest was migrated away/);
        assertOneClearError(
          await user.run("check", "--only", "XF002"),
          /was migrated away while it was checked/,
          69,
        );
      },
    );

    await t.step(
      "off says where its kernel runs on, and what is set",
      async () => {
        const off = await user.run("off");
        assertOneClearError(off, /the guest was migrated away before/, 69);
        assert.match(off.err, /trace_graph\.txt holds what was collected/);
        assert.match(
          off.err,
          new RegExp(`runs on in qemu:${moved.name}, .* run .xftrace off -t`),
        );
        assert.match(off.out, /lost: 0 \(counts equal the guest's own\)/);
        assertOneClearError(await user.run("off"), /xftrace off -t/, 69);
        assert.notDeepEqual(await there.switches(), before);
      },
    );

    await t.step("off undoes it where it runs", async () => {
      await there.ok("off");
      assert.deepEqual(await there.switches(), before);
      assert.deepEqual(user.left(), []);
      for (
        const args of [["on", "--plain", "vfs_read"], [
          "eval",
          'trace("vfs_read").until("1s").count()',
        ]]
      ) {
        assertOneClearError(
          await user.run(...args),
          /was migrated away: nothing runs in its memory any more/,
          69,
        );
      }
      const clean = await there.run("check", "--only", "XF002,XF019");
      assert.equal(clean.code, 0, clean.err);
    });

    if (!LONG) return;
    await t.step("it is traced there as before, and moved again", async () => {
      await there.ok("on", "--plain", "--depth", "3", "vfs_read");
      await there.collects(20);
      await using again = await moved.migrate({ name: `${source.name}-3` });
      using user = userOf(again, there);
      // At once: the collector may not have noticed it.
      const off = await user.run("off");
      assertOneClearError(
        off,
        new RegExp(`was migrated to qemu:${again.name} before`),
        69,
      );
      assert.match(off.out, /lost: 0/);
      assert.deepEqual(await user.switches(), before);
      assert.deepEqual(user.left(), []);
      assertNoOops(again);
    });
  });
}

if (LONG) {
  Deno.test("a guest whose QEMU does not tell that it was migrated, 6.12", async () => {
    await using source = await Guest.boot({ kernel: "6.12" });
    using user = new FaultUser(source);
    await prepare(source);
    await load(source);
    const before = await user.switches();
    await user.ok("on", "--plain", "--depth", "3", "vfs_read");
    await user.collects(20);
    await using moved = await source.migrate();
    // Its monitor serves one client at a time.
    const monitor = source.monitorSocket;
    using _busy = await Deno.connect({ transport: "unix", path: monitor });
    assertOneClearError(
      await user.run("off"),
      new RegExp(`runs on in qemu:${moved.name}`),
      69,
    );
    using there = userOf(moved, user);
    await there.ok("off");
    assert.deepEqual(await there.switches(), before);
    // Nobody can tell what became of it.
    await there.ok("on", "--plain", "--depth", "3", "vfs_read");
    using _too = await Deno.connect({
      transport: "unix",
      path: moved.monitorSocket,
    });
    Deno.kill(moved.pid, "SIGSTOP");
    const off = await there.run("off");
    Deno.kill(moved.pid, "SIGCONT");
    assert.equal(off.code, 0, off.err);
    assert.match(off.err, /stands still, and its monitor does not tell why/);
    assert.deepEqual(await there.switches(), before);
  });

  Deno.test("a sealed trace of a guest that is migrated, 6.12", async () => {
    const module = await moduleFor("6.12");
    await using source = await Guest.boot({ kernel: "6.12" });
    await source.put(module, "/tmp/xftrace.ko");
    await source.sh("insmod /tmp/xftrace.ko");
    using user = new FaultUser(source);
    await load(source);
    await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
    await user.collects(20);
    await using moved = await source.migrate();
    await user.noticed();
    const off = await user.run("off");
    assertOneClearError(
      off,
      new RegExp(`its module runs on in qemu:${moved.name}: run`),
      69,
    );
    assert.match(off.out, /verified: nothing was added, changed or taken away/);
    const { code, out } = await ended(
      startXftrace(["verify", user.path("trace.xfs")]),
    );
    assert.equal(code, 0, out);
    using there = userOf(moved, user);
    assert.match(await there.ok("status"), /its module: on/);
    const { err } = await there.run("off");
    assert.match(
      err,
      /was left on by a command that was killed; it is off now/,
    );
    await there.ok("on", "sys_openat", "sys_read", "--rotate", "10");
    await there.collects(20);
    // Its settings are those of the guest's new place.
    const verified = await there.off();
    assert.equal(verified.verification.clean, true, JSON.stringify(verified));
    // Moved while nobody looked.
    await there.ok("on", "sys_openat", "--rotate", "10");
    await there.collects(5);
    await using again = await moved.migrate();
    using last = userOf(again, there);
    assertOneClearError(await last.run("off"), /its module in .* is off/, 69);
    assert.doesNotMatch(
      await xftrace(["status", "-t", again.target]).then(({ out }) => out),
      /its module: on/,
    );
    await again.sh("true", SLOW);
    assertNoOops(again);
  });
}
