/**
 * Stock tracers that the guest's own agent starts: `xftrace on --agent`.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import {
  assertNoOops,
  openLoad,
  SEAL_KERNELS,
} from "../seal/support_fixture.ts";
import { tracefsSteps } from "../seal/tracefs_fixture.ts";
import { User } from "../seal/user_fixture.ts";
import { assertOneClearError, NEWEST, TRACEFS } from "../support_fixture.ts";
import { restartAgent } from "./agent_fixture.ts";

/** A user who trusts the guest: every `on` is `on --agent`. */
class AgentUser extends User {
  override start(...[command, ...args]: string[]): Deno.ChildProcess {
    return super.start(
      command,
      ...command === "on" ? ["--agent", ...args] : args,
    );
  }
}

const GRAPH = [
  ...["on", "--tracer", "function_graph", "sys_openat"],
  ...["--filter", "vfs_open", "--event", "sched:sched_switch"],
];

for (
  const kernel of LONG ? [...SEAL_KERNELS, NEWEST] : SEAL_KERNELS.slice(-1)
) {
  Deno.test(`the guest's agent starts a stock tracer, ${kernel}`, async (t) => {
    await using guest = await Guest.boot({ kernel, agent: true });
    // A buffer gets its size when it is first used.
    await guest.sh(
      `until [ -e /run/qga.state ]; do sleep 0.1; done; echo 1408 > ${TRACEFS}/buffer_size_kb`,
    );
    using user = new AgentUser(guest);
    const before = await user.switches();

    await t.step(
      "the plan says that the agent does it, and nothing is written",
      async () => {
        const plan = await user.ok(...GRAPH, "--dry-run");
        assert.match(
          plan,
          /^Note +the guest's agent writes these files as root: the guest is trusted/m,
        );
        assert.match(
          plan,
          /current_tracer +nop -> function_graph +guest agent: tracefs/,
        );
        assert.match(
          plan,
          /enable +sched:sched_switch: 0 -> 1 +guest agent: tracefs events/,
        );
        assert.doesNotMatch(plan, /module mailbox/);
        assert.deepEqual(await user.switches(), before);
        assert.doesNotMatch(await guest.sh("lsmod"), /^xftrace /m);
      },
    );

    await t.step("it traces, and off restores everything", async () => {
      const said = await user.ok(...GRAPH);
      assert.match(
        said,
        /tracer function_graph, .* tracefs files by its agent\)/,
      );
      await guest.sh(openLoad(5));
      assert.match(await user.ok("status"), /current_tracer=function_graph/);
      const off = await user.ok("off");
      assert.match(off, /lost: 0/);
      assert.match(user.text(), /__x64_sys_openat\(\) \{/);
      assert.match(user.text(), /sched_switch:/);
      assert.deepEqual(await user.switches(), before);
    });

    await t.step("the agent creates an instance, and removes it", async () => {
      await user.ok(
        ...["on", "--instance", "mine", "--tracer", "function", "vfs_open"],
      );
      await guest.sh(openLoad(3));
      await user.ok("off");
      assert.match(user.text(), /vfs_open <-/);
      assert.equal(
        (await guest.sh(`ls ${TRACEFS}/instances`)).trim(),
        "",
      );
      assert.deepEqual(await user.switches(), before);
    });

    await tracefsSteps(t, guest, user);

    await t.step(
      "if the agent may not write files, the error names the call",
      async () => {
        await restartAgent(
          guest,
          "[general]\\nblock-rpcs=guest-file-write\\n",
        );
        assertOneClearError(
          await user.run(...GRAPH),
          /agent of qemu:\S+ does not allow guest-file-write; to allow it/,
          1,
        );
        assert.deepEqual(await user.switches(), before);
        await restartAgent(guest);
      },
    );

    await t.step(
      "if the agent does not answer, off reports what stays changed, and a later off undoes it",
      async () => {
        await user.ok(...GRAPH);
        await guest.sh("kill -STOP $(pidof qemu-ga)");
        assertOneClearError(
          await user.run("off"),
          /not set back: .*current_tracer \(was: nop\).*: no guest agent of qemu:\S+ answers/,
          1,
        );
        assert.match(user.text(), /TIME|CPU/);
        await guest.sh("kill -CONT $(pidof qemu-ga)");
        assertOneClearError(
          await user.run(...GRAPH),
          /`xftrace off` of qemu:\S+ could not undo everything; run `xftrace off/,
          1,
        );
        await user.ok("off");
        assert.deepEqual(await user.switches(), before);
      },
    );
    assertNoOops(guest);
  });
}
