/**
 * Files of the host that cannot be written, while a guest is traced: what was
 * collected is complete up to the fault, one sentence says what happened, the
 * guest is left as it was, and the next command works.
 */
import assert from "node:assert/strict";
import { hostTest } from "../../host/other_user_fixture.ts";
import type { Status } from "../../../scripts/cli/commands/status.ts";
import {
  assertNoOops,
  openLoad,
  sealedGuest,
  steer,
  tracerOf,
  waitUntil,
} from "../seal/support_fixture.ts";
import { User } from "../seal/user_fixture.ts";
import { assertOneClearError, ended, TRACEFS } from "../support_fixture.ts";
import { SmallDisk } from "./small_disk_fixture.ts";

/** How long a disk may take to be full, ms. */
const FULL_MS = 180_000;

hostTest(
  "host files that cannot be written while a guest is traced",
  async () => {
    await using guest = await sealedGuest("6.1");
    using session = steer(guest);
    const tracer = tracerOf(session);

    /** Works until the trace says that it has failed. */
    const untilFailed = async (user: User): Promise<Status> => {
      for (const end = performance.now() + FULL_MS; performance.now() < end;) {
        await guest.sh(openLoad(20));
        const status: Status = JSON.parse(await user.ok("status", "--json"));
        if (status.collector?.failed !== undefined) return status;
      }
      assert.fail("the disk is not full");
    };
    /** A trace of two opens that is complete: the next command works. */
    const worksAgain = async (...on: string[]) => {
      using next = new User(guest);
      await next.ok("on", ...on);
      await guest.sh(openLoad(2));
      const { code, err } = await next.run("off");
      assert.equal(code, 0, err);
      assert.deepEqual(next.traces(), []);
    };

    {
      console.log("  sealed: the recording's disk is full");
      using disk = new SmallDisk(160);
      using user = new User(guest, { folder: disk.folder("work") });
      await user.ok("on", "sys_openat", "sys_read", "--rotate", "10");
      // The names of functions are written every second.
      await guest.sh(openLoad(1));
      const recorded = () => Deno.readTextFileSync(user.path("trace.xfs"));
      await waitUntil(() => recorded().includes("__x64_sys_openat"));
      const status = await untilFailed(user);
      assert.match(
        status.collector?.failed ?? "",
        /cannot write .*\/trace\.(xfs|klog): the disk is full; free room, or /,
      );
      assert.equal(tracer.enabled, false, "the module is off");

      const full = await user.run("off");
      assertOneClearError(
        full,
        /cannot write trace_graph\.txt: the disk is full/,
        1,
      );
      const text = Deno.makeTempFileSync();
      const off = await user.run("off", "-o", text);
      assert.equal(off.code, 3, off.err + off.out);
      assert.match(
        off.err,
        /traced any more from then on: cannot write .* full/,
      );
      assert.match(off.out, /NOT COMPLETE: what was recorded is genuine/);
      const verify = await ended(
        user.startAnywhere("verify", user.path("trace.xfs")),
      );
      assert.equal(verify.code, 3, verify.out);
      const [, ...counts] = /^all(.*)$/m.exec(verify.out)?.[1].trim()
        .split(/\s+/).map(Number) ?? [];
      assert.deepEqual(counts, [0, 0, 0, 0, 0, 0, 0], verify.out);
      assert.match(Deno.readTextFileSync(text), /__x64_sys_openat\(/);
      Deno.removeSync(text);
      assert.deepEqual(user.traces(), []);
      await worksAgain("sys_openat");
    }

    {
      console.log("  plain: the state folder's disk is full");
      const events = (on: 0 | 1) =>
        guest.sh(`echo ${on} > ${TRACEFS}/events/syscalls/enable`);
      await events(1);
      using disk = new SmallDisk(320);
      using user = new User(guest, { state: disk.folder("state") });
      const before = await user.switches();
      await user.ok("on", "--plain");
      const { collector } = await untilFailed(user);
      assert.match(
        collector?.failed ?? "",
        /cannot write .*\/spool: the disk is full; free room, or set XDG_STATE_HOME/,
      );
      const off = await user.run("off", "--keep");
      assertOneClearError(
        off,
        /nothing was collected any more from then on: .* the disk is full; .*trace_graph\.txt holds what was collected until then/,
        1,
      );
      assert.match(user.text(), /sys_openat\(/);
      assert.deepEqual(await user.switches(), before, "the guest is as it was");
      assert.deepEqual(user.traces(), []);
      await worksAgain("--plain");
      await events(0);
    }

    {
      console.log(
        "  plain: the text's disk is full, then another place is named",
      );
      using disk = new SmallDisk(64);
      using user = new User(guest, { folder: disk.folder("work") });
      await guest.sh(`echo 1 > ${TRACEFS}/events/syscalls/enable`);
      await user.ok("on", "--plain");
      await guest.sh(openLoad(10));
      await guest.sh(`echo 0 > ${TRACEFS}/events/syscalls/enable`);
      assertOneClearError(
        await user.run("off"),
        /cannot write .*trace_graph\.txt: the disk is full; free room, or choose another place with -o/,
        1,
      );
      const text = Deno.makeTempFileSync();
      const again = await user.run("off", "-o", text);
      assert.equal(again.code, 0, again.err);
      assert.match(again.out, /counts equal the guest's own/);
      assert.match(Deno.readTextFileSync(text), /sys_openat\(/);
      Deno.removeSync(text);
    }

    {
      console.log(
        "  the state folder is read-only before `on`, and before `off`",
      );
      using disk = new SmallDisk(2048);
      using user = new User(guest, { state: disk.folder("state") });
      await guest.sh(`echo 1 > ${TRACEFS}/events/sched/sched_switch/enable`);
      const before = await user.switches();
      await disk.remount("ro");
      for (const args of [["sys_openat"], ["--plain"]]) {
        assertOneClearError(
          await user.run("on", ...args),
          /cannot write .*: its file system can only be read/,
          1,
        );
      }
      assert.deepEqual(await user.switches(), before);
      assert.equal(tracer.enabled, false);
      await disk.remount("rw");
      for (const args of [["sys_openat"], ["--plain"]]) {
        await user.ok("on", ...args);
        await guest.sh(openLoad(1));
        // Nothing is open for writing then, or it could not be remounted.
        user.killCollector();
        await user.gone();
        await disk.remount("ro");
        assertOneClearError(
          await user.run("off"),
          /cannot write .*: its file system can only be read/,
          1,
        );
        await disk.remount("rw");
        const { code, err } = await user.run("off", "--keep");
        assert.equal(code, 0, err);
        assert.deepEqual(user.traces(), []);
      }
      assert.deepEqual(await user.switches(), before, "the guest is as it was");
      assert.equal(tracer.enabled, false);
    }

    {
      console.log("  the files of a sealed trace cannot be made");
      using disk = new SmallDisk(64);
      using user = new User(guest, { folder: disk.folder("work") });
      await disk.remount("ro");
      assertOneClearError(
        await user.run("on", "sys_openat"),
        /the collector did not start: .*trace\.klog.*; the guest is as it was/,
        1,
      );
      assert.equal(tracer.enabled, false);
      assert.deepEqual(user.traces(), []);
      await disk.remount("rw");
      await worksAgain("sys_openat");
    }
    assertNoOops(guest);
  },
);
