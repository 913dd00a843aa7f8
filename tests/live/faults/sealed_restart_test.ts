/**
 * A sealed trace whose guest restarts within its QEMU, and one whose guest only
 * pretends that, to end the trace.
 */
import assert from "node:assert/strict";
import { Guest } from "../../../lab/mod.ts";
import { moduleFor, steer } from "../seal/support_fixture.ts";
import { ended } from "../support_fixture.ts";
import { FaultUser, load } from "./guest_fixture.ts";
import { restart, withRestarts } from "./restart_fixture.ts";

/** Loads the module, and begins a sealed trace. */
async function begin(guest: Guest, user: FaultUser): Promise<void> {
  await guest.put(await moduleFor("6.1"), "/tmp/xftrace.ko");
  await guest.sh("insmod /tmp/xftrace.ko");
  await load(guest);
  await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
  await user.collects(20);
}

Deno.test("a sealed trace of a guest that restarts is no tampering, nor is the next one", () =>
  withRestarts("6.1", async (guest) => {
    using user = new FaultUser(guest);
    await begin(guest, user);
    await restart(guest, async () => {
      await user.noticed();
      assert.equal(user.ended(), "the guest was restarted");
      const off = await user.run("off");
      assert.match(off.out, /^all +\d+( +0){7}$/m, off.err);
      assert.match(user.text(), /__x64_sys_openat\(/);
      assert.deepEqual(user.left(), []);
      assert.match(
        off.err,
        /the guest was restarted before `xftrace off`, as its processors show, .* all of it verified/,
      );
      assert.equal(off.code, 69, off.err);
    });
    // The control page of the first kernel's module may still be in memory.
    await begin(guest, user);
    const off = await user.run("off");
    assert.match(off.out, /^verified: nothing was added, /m, off.out);
    assert.equal(off.code, 0, off.err);
  }));

Deno.test("a guest that pretends that it was restarted is not believed", async () => {
  await using guest = await Guest.boot({ kernel: "6.1" });
  using user = new FaultUser(guest);
  await begin(guest, user);
  {
    // A part of what tells one kernel from another.
    using session = steer(guest);
    const { kernel: { symbols, space }, memory } = session;
    const { gpa } = space.translate(symbols.address("linux_banner"));
    memory.write(gpa + 20, new TextEncoder().encode("!"));
  }
  await user.noticed();
  assert.equal(user.ended(), "the guest was restarted");
  const off = await ended(user.start("off"));
  assert.match(
    off.err,
    /not known: its kernel is at the same address/,
    `${off.out}${off.err}`,
  );
  assert.equal(off.code, 2, off.err);
});
