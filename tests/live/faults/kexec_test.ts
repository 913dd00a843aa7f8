/**
 * A guest that starts another kernel by itself (kexec): its QEMU, and even its
 * devices, are never reset, and the old kernel stays in memory. Both kinds of
 * traces are on, one after the other. For the long suite: each restart takes as
 * long as a boot.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest, guestProgram } from "../../../lab/mod.ts";
import { moduleFor } from "../seal/support_fixture.ts";
import { SLOW } from "../support_fixture.ts";
import {
  assertOffTold,
  assertTold,
  FaultUser,
  load,
  prepare,
  until,
} from "./guest_fixture.ts";

const KEXEC = {
  package: "kexec-tools",
  program: "sbin/kexec",
  folder: "kexec-tools",
};

/** What a guest's QEMU was started with. */
function argument(guest: Guest, name: string): string {
  const words = Deno.readTextFileSync(`/proc/${guest.pid}/cmdline`).split("\0");
  return words[words.indexOf(name) + 1];
}

/** Puts kexec into a guest, and the files of the kernel that it is to start. */
async function install(guest: Guest): Promise<void> {
  for (const { path, data } of await guestProgram(KEXEC, () => {})) {
    await guest.put(data, `/${path}`, 0o755);
  }
  await guest.put(argument(guest, "-kernel"), "/tmp/vmlinuz");
  await guest.put(argument(guest, "-initrd"), "/tmp/initrd");
}

/** Loads the new kernel, and starts it. */
async function start(guest: Guest, during: () => Promise<void>): Promise<void> {
  const parameters = argument(guest, "-append");
  await guest.sh(
    `/sbin/kexec --kexec-file-syscall -l /tmp/vmlinuz --initrd=/tmp/initrd --command-line='${parameters}'`,
    SLOW,
  );
  const serial = guest.serialLog().length;
  void guest.exec("/sbin/kexec -e", { timeoutMs: 10_000 }).catch(() => {});
  await during();
  await until(
    "the new kernel is up",
    () => /lab: ready/.test(guest.serialLog().slice(serial)),
  );
  await guest.sh("true", SLOW);
}

if (LONG) {
  Deno.test("a guest that starts another kernel by itself, 6.1", async (t) => {
    await using guest = await Guest.boot({ kernel: "6.1", mem: "768M" });
    using user = new FaultUser(guest);
    await install(guest);
    const module = await moduleFor("6.1");

    await t.step("the old kernel's addresses are not written to", async () => {
      await prepare(guest);
      await load(guest);
      const followers = await user.begin();
      await start(guest, async () => {
        await assertTold(followers, /was restarted/);
        await user.noticed();
      });
      await prepare(guest);
      const fresh = await user.switches();
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
    });

    await t.step("a sealed trace ends, and cannot be resumed", async () => {
      await guest.sh("echo nop > /sys/kernel/tracing/current_tracer");
      await guest.put(module, "/tmp/xftrace.ko");
      await guest.sh("insmod /tmp/xftrace.ko");
      await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
      await user.collects(20);
      await install(guest);
      await start(guest, () => user.noticed());
      const resumed = await user.run("on", "--resume");
      assert.equal(resumed.code, 1);
      assert.match(resumed.err, /was restarted since the trace began/);
      const off = await user.run("off");
      assert.equal(off.code, 69, off.err);
      assert.match(
        off.err,
        /the guest was restarted before `xftrace off`, as its processors show/,
      );
      // Nothing is forged or missing, but nobody knows how the trace ended.
      assert.match(off.out, /^all +\d+( +0){7}$/m);
      assert.match(off.out, /the key log has no end for this trace/);
      assert.match(user.text(), /__x64_sys_openat\(/);
      assert.deepEqual(user.left(), []);
    });
  });
}
