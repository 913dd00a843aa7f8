/**
 * A guest with the module that is stopped for a while, and whose QEMU is then
 * killed, or that switches itself off, while a sealed trace runs and is followed.
 */
import assert from "node:assert/strict";
import { LONG, times } from "../../../engine/base/long_fixture.ts";
import { assertNoOops, sealedGuest } from "../seal/support_fixture.ts";
import {
  assertOneClearError,
  ended,
  startXftrace,
} from "../support_fixture.ts";
import { FaultUser, hold, load } from "./guest_fixture.ts";

/**
 * How long QEMU is stopped, in seconds: longer than the module may take to
 * answer. Its clock goes on meanwhile, so an emulated guest would not bear much
 * more: its timers stay behind, and its kernel complains.
 */
const STOPPED = 8;
/** How long the guest is paused by QEMU, its clock included, in seconds. */
const PAUSED = times(7, 65);

const SEALED = ["on", "sys_openat", "sys_read", "--rotate", "10"];

/** What happens to the guest at the end. */
const ENDS = [
  { kernel: "6.12", how: "killed", long: false },
  { kernel: "6.1", how: "switched off", long: true },
] as const;

for (const { kernel, how, long } of ENDS) {
  if (long && !LONG) continue;
  Deno.test(`a sealed trace of a guest that is stopped, then ${how}, ${kernel}`, async (t) => {
    await using guest = await sealedGuest(kernel);
    using user = new FaultUser(guest);
    await load(guest);

    await t.step("a pause loses nothing, and is no finding", async () => {
      await user.ok(...SEALED);
      await user.collects(20);
      Deno.kill(guest.pid, "SIGSTOP");
      await hold(STOPPED);
      Deno.kill(guest.pid, "SIGCONT");
      await user.collects(20);
      await guest.qmp("stop");
      await hold(PAUSED);
      await guest.qmp("cont");
      await user.collects(20);
      const off = await user.off();
      assert.equal(off.verification.clean, true, JSON.stringify(off));
    });

    assertNoOops(guest);

    await t.step(
      `what a guest that is ${how} had written is genuine`,
      async () => {
        await user.ok(...SEALED);
        // The guest's own buffers, in which the module records nothing.
        const show = user.start("show");
        await user.collects(20);
        const check = user.start("check");
        await hold(1.5);
        if (how === "killed") Deno.kill(guest.pid, "SIGKILL");
        else {
          void guest.exec("poweroff -f", { timeoutMs: 10_000 }).catch(() => {});
        }
        assertOneClearError(
          await ended(show),
          /has ended; what it had traced/,
          69,
        );
        const checked = await ended(check);
        if (how === "killed") {
          // On a host that is slow it may not have found the guest any more.
          assertOneClearError(
            checked,
            /has ended while it was checked|no VM|has ended/,
          );
        }
        await user.noticed();
        const off = await user.run("off");
        assertOneClearError(
          off,
          /the guest has ended before `xftrace off`; .* holds what was collected/,
          69,
        );
        assert.match(
          off.out,
          /verified: nothing was added, changed or taken away/,
        );
        assert.match(user.text(), /__x64_sys_openat\(.*maps"/);
        const { code, out } = await ended(
          startXftrace(["verify", user.path("trace.xfs")]),
        );
        assert.equal(code, 0, out);
        assert.deepEqual(user.left(), []);
      },
    );
  });
}
