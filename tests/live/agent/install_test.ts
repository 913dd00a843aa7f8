/**
 * Loading the module through the guest's own agent: the plan, the installation,
 * and the errors when the agent or the kernel refuses.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import { CONTROL } from "../../../engine/seal/page/abi.ts";
import { ControlPage } from "../../../engine/seal/page/control_page.ts";
import type { Session } from "../../../engine/session.ts";
import type { Status } from "../../../scripts/cli/commands/status.ts";
import {
  assertNoOops,
  moduleFor,
  openLoad,
  SEAL_KERNELS,
  steer,
} from "../seal/support_fixture.ts";
import { User } from "../seal/user_fixture.ts";
import { assertOneClearError, NEWEST, xftrace } from "../support_fixture.ts";
import { removeAgent, restartAgent, returnAgent } from "./agent_fixture.ts";

/** A file of the module on this machine, as a user would build it. */
async function moduleFile(user: User, kernel: string): Promise<string> {
  const path = user.path("xftrace.ko");
  await Deno.writeFile(path, await moduleFor(kernel));
  return path;
}

/** The control page of the guest's module. */
function pageOf(session: Session): ControlPage {
  const page = ControlPage.find(session.kernel);
  assert.ok(page !== undefined, "the guest has no module");
  return page;
}

for (
  const kernel of LONG ? [...SEAL_KERNELS, NEWEST] : SEAL_KERNELS.slice(-1)
) {
  Deno.test(`the guest's agent loads the module, ${kernel}`, async (t) => {
    await using guest = await Guest.boot({ kernel, agent: true });
    using user = new User(guest);
    await guest.sh("until [ -e /run/qga.state ]; do sleep 0.1; done");
    const state = () => guest.sh("lsmod | cut -d' ' -f1; ls /run /tmp");
    const before = await state();

    await t.step(
      "without --run the plan is shown, and nothing is changed",
      async () => {
        const plan = await user.ok("guest", "install");
        assert.match(
          plan,
          /^Plan +install xftrace \S+ +target qemu:\S+ +kernel /,
        );
        assert.match(plan, /built against .*linux-headers-/);
        assert.match(
          plan,
          /1 +guest-exec +mkdir -m 700 (\/run\/xftrace-\w+)\n/,
        );
        assert.match(
          plan,
          /2 +guest-file-write +\/run\/.*xftrace\.ko, [\d.]+ .iB/,
        );
        assert.match(plan, /3 +guest-exec +insmod \/run\/\S+xftrace\.ko\n/);
        assert.match(plan, /Trusted until then: the guest's kernel, its agent/);
        assert.doesNotMatch(plan, /In the way/);
        assert.equal(await state(), before);
        const status: Status = JSON.parse(await user.ok("status", "--json"));
        assert.deepEqual([status.module, status.installed], [null, null]);
      },
    );

    const file = await moduleFile(user, kernel);
    const install = ["guest", "install", "--module", file, "--run"];

    await t.step(
      "if the agent forbids a call, the error names it",
      async () => {
        await restartAgent(guest, "[general]\\nblock-rpcs=guest-exec\\n");
        assertOneClearError(
          await user.run(...install),
          /agent of qemu:\S+ does not allow guest-exec; to allow it, .*qemu-ga\.conf.*sysconfig/,
          1,
        );
        await restartAgent(guest);
        assert.equal(await state(), before);
      },
    );

    await t.step("an agent that does not answer is given up on", async () => {
      await guest.sh("kill -STOP $(pidof qemu-ga)");
      const started = performance.now();
      assertOneClearError(
        await user.run(...install),
        /no guest agent of qemu:\S+ answers at .*: it does not run .* or another program/,
        1,
      );
      const seconds = (performance.now() - started) / 1000;
      console.log(`  given up on after ${seconds.toFixed(1)} s in all`);
      await guest.sh("kill -CONT $(pidof qemu-ga)");
    });

    await t.step("without an agent, the error says so", async () => {
      await removeAgent(guest);
      assertOneClearError(
        await user.run(...install),
        /answers at .*: nothing in the guest has opened its port/,
        1,
      );
      await returnAgent(guest);
      assert.equal(await state(), before);
    });

    await t.step("the module is loaded, and its digest kept", async () => {
      const done = await user.ok(...install, "--ring-kib", "1024");
      assert.match(
        done,
        /loaded: xftrace \S+ in qemu:\S+; its text \(.*\) is the file's/,
      );
      assert.match(done, /kept: its digest, sha256 [0-9a-f]{64}/);
      assert.match(await guest.sh("lsmod"), /^xftrace /m);
      assert.equal(
        (await guest.sh("cat /sys/module/xftrace/parameters/ring_kib")).trim(),
        "1024",
      );
      assert.equal(await guest.sh("ls /run | grep -c xftrace || true"), "0\n");
    });

    await t.step("a sealed trace runs and verifies", async () => {
      await user.ok("on", "sys_openat", "--filter", "vfs_open");
      await guest.sh(openLoad(5));
      const off = await user.off();
      assert.equal(off.verification.clean, true);
      assert.match(user.text(), /__x64_sys_openat\(/);
      assert.match(
        await user.ok("status"),
        /module +installed .*; its text is what it was then/,
      );
    });

    await t.step("module text that has changed since is found", async () => {
      using session = steer(guest);
      const { module } = pageOf(session);
      // After the module's code, where nothing runs.
      const at = session.kernel.space.translate(module.text.end - 1n).gpa;
      const byte = new Uint8Array(1);
      session.memory.read(at, byte);
      session.memory.write(at, new Uint8Array([byte[0] ^ 0xff]));
      const changed =
        /module text changed: code between .* is not what was installed \(/;
      assert.match(await user.ok("status"), changed);
      const check = await user.run("check", "--only", "XF024");
      assert.equal(check.code, 2, check.err);
      assert.match(
        check.out,
        /XF024 +critical +1 bytes of \S+ \[xftrace\] are not those of/,
      );
      await user.ok("on", "sys_openat");
      const off = await user.run("off");
      assert.equal(off.code, 2, off.err);
      assert.match(off.out + off.err, changed);
      const verified = await xftrace(["verify", user.path("trace.xfs")]);
      assert.equal(verified.code, 2);
      session.memory.write(at, byte);
      const status: Status = JSON.parse(await user.ok("status", "--json"));
      assert.deepEqual(status.installed?.findings, []);
    });

    await t.step(
      "a guest that already has the module is recognised",
      async () => {
        assertOneClearError(
          await user.run(...install),
          /has the module xftrace already; .*rmmod xftrace/,
          1,
        );
        using session = steer(guest);
        const page = pageOf(session);
        const version = page.u32(CONTROL.abi_version);
        page.setU32(CONTROL.abi_version, version + 1);
        assertOneClearError(
          await user.run(...install),
          /has a module xftrace already, of another version \(.*speaks version \d+ and we speak \d+.*\); unload it in the guest first/,
          1,
        );
        page.setU32(CONTROL.abi_version, version);
      },
    );

    await t.step(
      "a module that the guest has loaded again is found",
      async () => {
        await guest.put(file, "/tmp/again.ko");
        await guest.sh("rmmod xftrace");
        assert.match(
          await user.ok("status"),
          /FOUND +module gone: .*not loaded/,
        );
        await guest.sh("insmod /tmp/again.ko");
        assert.match(
          await user.ok("status"),
          /FOUND +module loaded again: the module that was installed \(.*not loaded by the host/,
        );
        await guest.sh("rmmod xftrace; rm /tmp/again.ko");
        await user.ok(...install);
        const status: Status = JSON.parse(await user.ok("status", "--json"));
        assert.deepEqual(status.installed?.findings, []);
      },
    );
    assertNoOops(guest);
  });
}

const DEMANDING = [
  ["6.1", "module.sig_enforce=1", /module\.sig_enforce/],
  ["6.12", "lockdown=integrity", /it is locked down/],
] as const;

for (const [kernel, append, why] of DEMANDING) {
  Deno.test(`a kernel that requires signatures (${append}), ${kernel}`, async () => {
    await using guest = await Guest.boot({ kernel, agent: true, append });
    using user = new User(guest);
    const file = await moduleFile(user, kernel);
    const plan = await user.ok("guest", "install", "--module", file);
    assert.match(
      plan,
      /^In the way: its kernel loads only modules that are signed/m,
    );
    assert.match(plan, why);
    const run = await user.run("guest", "install", "--module", file, "--run");
    console.log(`  ${run.err.trim().split("\n").at(-1)}`);
    assertOneClearError(
      run,
      /the kernel of qemu:\S+ refuses the module: insmod: can't insert '.*': .*; its kernel loads only modules that are signed with a key it trusts \(.*this one is not signed/,
      1,
    );
    assert.match(run.err, why);
    assert.equal(await guest.sh("ls /run | grep -c xftrace || true"), "0\n");
    assert.doesNotMatch(await guest.sh("lsmod"), /^xftrace /m);
  });
}
