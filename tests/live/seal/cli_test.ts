/**
 * The guest's module as a user sees it: sealed traces with `xftrace on` and
 * `off`, and stock tracers with `--tracer`.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import type { Status } from "../../../scripts/cli/commands/status.ts";
import {
  assertNoOops,
  openLoad,
  SEAL_KERNELS,
  sealedGuest,
  steer,
  tracerOf,
} from "./support_fixture.ts";
import { tracefsSteps } from "./tracefs_fixture.ts";
import { User } from "./user_fixture.ts";
import {
  assertOneClearError,
  ended,
  NEWEST,
  OLDEST,
  startXftrace,
  TRACEFS,
} from "../support_fixture.ts";

const opens = (text: string) =>
  text.match(/__x64_sys_openat\(.*"\/proc\/modules"/g)?.length ?? 0;

// The sealed module's other tests of each run are on 6.12.
for (
  const kernel of LONG
    ? [OLDEST, ...SEAL_KERNELS, NEWEST]
    : SEAL_KERNELS.slice(0, 1)
) {
  Deno.test(`the module as a user sees it, ${kernel}`, async (t) => {
    await using guest = await sealedGuest(kernel);
    using session = steer(guest);
    using user = new User(guest);

    await t.step(
      "the module writes and reads tracefs files for the host",
      async () => {
        const { mailbox } = tracerOf(session);
        const see = async (file: string) =>
          (await guest.sh(`cat ${TRACEFS}/${file}`)).trim();

        await mailbox.writeTracefs("trace_clock", "mono");
        assert.match(await see("trace_clock"), /\[mono\]/);
        await mailbox.writeTracefs("set_ftrace_filter", "vfs_read");
        await mailbox.writeTracefs("set_ftrace_filter", "vfs_open", {
          append: true,
        });
        assert.deepEqual(
          (await see("set_ftrace_filter")).split("\n").sort(),
          ["vfs_open", "vfs_read"],
        );
        await mailbox.writeTracefs("set_graph_function", "vfs_read");
        assert.equal(await see("set_graph_function"), "vfs_read");
        await mailbox.writeTracefs("events/sched/sched_switch/enable", "1");
        assert.equal(await see("events/sched/sched_switch/enable"), "1");
        await mailbox.writeTracefs("buffer_size_kb", "512");
        assert.match(await see("buffer_size_kb"), /^51[2-9]/);
        await mailbox.writeTracefs("current_tracer", "function_graph");
        assert.equal(await see("current_tracer"), "function_graph");
        assert.equal(
          await mailbox.readTracefs("current_tracer"),
          "function_graph\n",
        );
        await mailbox.writeTracefs("current_tracer", "nop");
        assert.equal(await see("current_tracer"), "nop");
        await mailbox.writeTracefs("events/sched/sched_switch/enable", "0");
        assert.match(await mailbox.readTracefs("README"), /tracing mini-HOWTO/);

        await assert.rejects(
          mailbox.writeTracefs("current_tracer", "no_such"),
          /refused to write "no_such" to tracefs' current_tracer: invalid/,
        );
        await assert.rejects(mailbox.readTracefs("no_such"), /no such file/);
        for (
          const path of ["../etc/shadow", "/etc/shadow", "a/../../etc/x", ""]
        ) {
          await assert.rejects(mailbox.readTracefs(path), /refused.*invalid/);
        }
        await mailbox.writeTracefs("set_ftrace_filter", "vfs_open vfs_read\n");
        assert.deepEqual(
          (await see("set_ftrace_filter")).split("\n").sort(),
          ["vfs_open", "vfs_read"],
          "every word of a write counts",
        );
        await mailbox.writeTracefs("set_ftrace_filter", "");
        await mailbox.writeTracefs("set_graph_function", "");
        await assert.rejects(mailbox.makeInstance("a/b"), /refused.*invalid/);
        await assert.rejects(mailbox.removeInstance("none"), /no such/);
      },
    );

    await t.step("a sealed trace is verified", async () => {
      const plan = await user.ok("on", "--dry-run", "sys_open", "sys_read");
      assert.match(plan, /enabled +0 -> 1 +xft_control.enabled\n/);
      assert.match(
        plan,
        /xft_control.enabled +0xffffffff\w+ +4 B +0x0 -> 0x1\n/,
      );
      assert.equal(tracerOf(session).enabled, false, "nothing is written");

      await user.ok(
        ...["on", "sys_open", "sys_read", "--filter", "vfs_read"],
        ...["--rotate", "10"],
      );
      await guest.sh(openLoad(10));
      const status: Status = JSON.parse(await user.ok("status", "--json"));
      assert.equal(status.control, "sealed module");
      assert.deepEqual(status.collector?.sealed?.findings, []);
      assert.ok((status.collector?.sealed?.keySwitches ?? 0) > 2);
      const [, top] = (await user.ok("top", "--json", "-n", "2", "-i", "1"))
        .trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.equal(top.seal.phase, "on");
      assert.ok(top.seal.keySwitches > 2 && top.seal.heartbeatAgeMs < 60_000);
      assert.deepEqual(top.seal.findings, []);
      const off = await user.off();
      assert.equal(off.verification.clean, true);
      assert.deepEqual(off.foreign, []);
      assert.equal(opens(user.text()), 10);
      assert.match(
        user.text(),
        /__x64_sys_read\(.*from (do_syscall_64|x64_sys_call)\+0x/,
      );
      assert.match(user.text(), /\| +vfs_read\(\)/);
      for (const name of ["trace.klog", "trace.xfs"]) {
        assert.equal((Deno.statSync(user.path(name)).mode ?? 0) & 0o777, 0o600);
      }

      const bytes = Deno.readFileSync(user.path("trace.xfs"));
      const at = bytes.length >> 1;
      bytes[at] ^= 1;
      Deno.writeFileSync(user.path("trace.xfs"), bytes);
      const { code, out } = await ended(
        startXftrace(["verify", user.path("trace.xfs")]),
      );
      assert.equal(code, 2, out);
      assert.match(out, /NOT GENUINE/);
    });

    await t.step(
      "a trace continues after its collector was killed, twice",
      async () => {
        await user.ok("on", "sys_openat");
        await guest.sh(openLoad(3));
        user.killCollector();
        assertOneClearError(
          await user.run("on", "sys_openat"),
          /its collector is gone; go on with it: `xftrace on --resume/,
        );
        await guest.sh(openLoad(3));
        await user.ok("on", "--resume");
        await guest.sh(openLoad(3));
        user.killCollector();
        await guest.sh(openLoad(3));
        const off = await user.off();
        assert.equal(off.verification.clean, true);
        assert.equal(opens(user.text()), 12, "none is lost, each has its name");
      },
    );

    await t.step(
      "a stock tracer is selected, and everything is undone",
      async () => {
        const before = await user.switches();
        const args = [
          ...["on", "--tracer", "function_graph", "sys_openat"],
          ...["--filter", "vfs_open vfs_read", "--clock", "boot"],
          ...["--event", "sched:sched_switch", "--buffer-size", "256"],
        ];
        const plan = await user.ok(...args, "--dry-run");
        for (
          const line of [
            /trace_clock +mono -> boot/,
            /buffer_size_kb +51\d -> 256/,
            /set_ftrace_filter +all functions -> vfs_open vfs_read __x64_sys_openat/,
            /set_graph_function +all functions -> __x64_sys_openat/,
            /events\/sched\/sched_switch\/enable +0 -> 1/,
            /current_tracer +nop -> function_graph/,
          ]
        ) assert.match(plan, line);
        assert.deepEqual(await user.switches(), before);

        await user.ok(...args);
        const during = (await user.switches()).join("\n");
        assert.match(during, /current_tracer: function_graph/);
        assert.match(during, /set_graph_function: __x64_sys_openat\n/);
        assert.match(during, /vfs_read/);
        assert.match(during, /\[boot\]/);
        assert.match(during, /buffer_size_kb: 25[6-9]/);
        assert.match(during, /sched_switch\/enable: 1/);
        await guest.sh(openLoad(3));
        await user.ok("off");
        assert.match(user.text(), /__x64_sys_openat\(\) \{/);
        assert.match(user.text(), /vfs_open\(\);/);
        assert.match(user.text(), /sched_switch:/);
        assert.doesNotMatch(user.text(), /vfs_read\(\)/, "it is below no root");
        assert.deepEqual(await user.switches(), before);

        assertOneClearError(
          await user.run("on", "--tracer", "no_such", "--clock", "boot"),
          /refused to write "no_such" to tracefs' current_tracer: invalid/,
        );
        assert.deepEqual(await user.switches(), before);
      },
    );

    await t.step("an instance is created, and Ctrl-C removes it", async () => {
      const before = await user.switches();
      const child = user.start(
        ...["on", "--tracer", "function", "vfs_open"],
        ...["--instance", "mine", "--foreground"],
      );
      const file = `${TRACEFS}/instances/mine/current_tracer`;
      await guest.sh(
        `until grep -q '^function$' ${file} && grep -q 1 ${TRACEFS}/instances/mine/tracing_on; do :; done 2>/dev/null; ${
          openLoad(3)
        }; sleep 0.3`,
        { timeoutMs: 60_000 },
      );
      assert.deepEqual(await user.switches(), before, "the top level is left");
      child.kill("SIGINT");
      const { code, err } = await ended(child);
      assert.equal(code, 0, err);
      assert.match(user.text(), /: vfs_open <-/);
      assert.equal((await guest.sh(`ls ${TRACEFS}/instances`)).trim(), "");
    });

    await tracefsSteps(t, guest, user);

    await t.step(
      "tracers work without a mount, but not without the module",
      async () => {
        // The module does not depend on what is mounted in the guest.
        await guest.sh(`umount ${TRACEFS}`);
        const { mailbox } = tracerOf(session);
        assert.equal(await mailbox.readTracefs("current_tracer"), "nop\n");
        await guest.sh("rmmod xftrace");
        assertOneClearError(
          await user.run("on", "--tracer", "function"),
          /load the xftrace module.*xftrace guest install.*ftrace=function/,
        );
        assertOneClearError(
          await user.run("on", "--set", "options/sym-addr=1"),
          /--set needs the guest's module.*xftrace guest install/,
          64,
        );
        assertOneClearError(
          await user.run("on", "--sealed", "sys_read"),
          /has no xftrace module/,
          64,
        );
      },
    );
    assertNoOops(guest);
  });
}
