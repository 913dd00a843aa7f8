/**
 * A sealed trace whose guest restarts within its QEMU, and one whose guest only
 * pretends that, to end the trace.
 */
import assert from "node:assert/strict";
import { Guest } from "../../../lab/mod.ts";
import { moduleFor, steer } from "../seal/support_fixture.ts";
import { ended, SLOW } from "../support_fixture.ts";
import { FaultUser, load, until } from "./guest_fixture.ts";

/** Loads the module, and begins a sealed trace. */
async function begin(guest: Guest, user: FaultUser): Promise<void> {
  await guest.put(await moduleFor("6.1"), "/tmp/xftrace.ko");
  await guest.sh("insmod /tmp/xftrace.ko");
  await load(guest);
  await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
  await user.collects(20);
}

Deno.test("a sealed trace of a guest that restarts, or pretends to", async (t) => {
  await using guest = await Guest.boot({ kernel: "6.1", reboots: true });
  using user = new FaultUser(guest);

  await t.step("a restart is told, and is no tampering", async () => {
    await begin(guest, user);
    const serial = guest.serialLog().length;
    void guest.exec("reboot -f", { timeoutMs: 10_000 }).catch(() => {});
    await user.noticed();
    assert.equal(user.ended(), "the guest was restarted");
    const off = await user.run("off");
    assert.match(off.out, /^all +\d+( +0){7}$/m);
    assert.match(user.text(), /__x64_sys_openat\(/);
    assert.deepEqual(user.left(), []);
    assert.match(
      off.err,
      /the guest was restarted before `xftrace off`, as its processors show, .* all of it verified/,
    );
    assert.equal(off.code, 69, off.err);
    await until(
      "the guest is up again",
      () => /lab: ready/.test(guest.serialLog().slice(serial)),
    );
    await guest.sh("true", SLOW);
  });

  await t.step("a guest that pretends it is not believed", async () => {
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
    assert.match(off.err, /not known: its kernel is at the same address/);
    assert.equal(off.code, 2, off.err);
  });
});
