/**
 * Several commands on one guest at once, and a host whose clock is stepped: one
 * command wins, the others say who has the guest, and nothing is lost.
 */
import assert from "node:assert/strict";
import type { Status } from "../../../scripts/cli/commands/status.ts";
import {
  assertNoOops,
  openLoad,
  sealedGuest,
  steer,
  tracerOf,
} from "../seal/support_fixture.ts";
import { User } from "../seal/user_fixture.ts";
import {
  assertOneClearError,
  ended,
  type Run,
  TRACEFS,
} from "../support_fixture.ts";
import { SteppedClock } from "./host_clock_fixture.ts";

/** Why the other command did nothing. */
const IN_USE =
  /`xftrace o(n|ff)`, process \d+ is at work on qemu:|is on already, since|a run of queries, process \d+ is at work|recor(?:ds|ding) for somebody else|no trace of `xftrace on` is on/;
const HOUR = 3600;
const opens = (text: string) =>
  text.match(/__x64_sys_openat\(.*"\/proc\/modules"/g)?.length ?? 0;

/** Asserts that one run succeeded, and that all others say why they did not. */
function assertOneWon(runs: readonly Run[]): void {
  const won = runs.filter(({ code }) => code === 0);
  assert.equal(won.length, 1, runs.map(({ err }) => err).join("\n"));
  for (const run of runs) if (run.code !== 0) assertOneClearError(run, IN_USE);
}

Deno.test("several commands on one guest, and a clock that is stepped", async (t) => {
  await using guest = await sealedGuest("6.1");
  using session = steer(guest);
  const tracer = tracerOf(session);
  await guest.sh(`echo 1 > ${TRACEFS}/events/sched/sched_switch/enable`);

  for (const on of [["sys_openat"], ["--plain"]]) {
    await t.step(`two on, two off at once: ${on}`, async () => {
      using user = new User(guest);
      assertOneWon(
        await Promise.all([user.run("on", ...on), user.run("on", ...on)]),
      );
      await guest.sh(openLoad(3));
      const offs = await Promise.all(
        ["one.txt", "two.txt"].map((name) =>
          ended(user.startAnywhere("off", "--keep", "-o", name))
        ),
      );
      assertOneWon(offs);
      const text = ["one.txt", "two.txt"].map((name) => {
        try {
          return Deno.readTextFileSync(user.path(name));
        } catch {
          return "";
        }
      }).join("");
      if (on[0] === "--plain") assert.match(text, /sched_switch: /);
      else assert.equal(opens(text), 3);
      assert.deepEqual(user.traces(), []);
      assert.equal(tracer.enabled, false);
    });
  }

  await t.step("on, and a run of queries", async () => {
    using user = new User(guest);
    const [on, run] = await Promise.all([
      user.run("on", "sys_openat"),
      user.run("eval", 'trace(sys_openat).until("2s").count()'),
    ]);
    if (run.code !== 0) {
      assert.match(run.err, IN_USE);
      assert.equal(on.code, 0, on.err);
    } else if (on.code !== 0) assertOneClearError(on, IN_USE);
    if (on.code === 0) {
      await guest.sh(openLoad(2));
      assert.equal((await user.off()).verification.clean, true);
      assert.equal(opens(user.text()), 2);
    }
    assert.equal(tracer.enabled, false);
  });

  await t.step(
    "what a killed run of queries left is ended by off",
    async () => {
      using user = new User(guest);
      const run = user.start("eval", 'trace(sys_openat).until("600s").count()');
      while (!tracer.enabled) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assertOneClearError(
        await user.run("off"),
        /records for a command of somebody else, which runs|a run of queries, process \d+ is at work/,
      );
      run.kill("SIGKILL");
      await ended(run);
      assertOneClearError(
        await user.run("on", "sys_openat"),
        /records for somebody else; .*if it was killed, switch the module off: xftrace off -t/,
      );
      const off = await user.run("off");
      assert.equal(off.code, 0, off.err);
      assert.match(off.err, /was left on by a command that was killed/);
      assert.equal(tracer.enabled, false);
    },
  );

  await t.step("off does not touch a guest without a trace", async () => {
    using user = new User(guest);
    const before = await user.switches();
    assertOneClearError(
      await ended(user.startAnywhere("off")),
      /^xftrace: no trace of `xftrace on` is on; .* name it with -t$/m,
      1,
    );
    assert.deepEqual(await user.switches(), before);
    // A guest that is named is stopped, but only if it records.
    await guest.sh(`echo 0 > ${TRACEFS}/tracing_on`);
    Deno.writeTextFileSync(user.path("trace_graph.txt"), "of before");
    assertOneClearError(
      await user.run("off"),
      /by itself it records nothing: there is nothing to switch off/,
      1,
    );
    assert.equal(user.text(), "of before");
    await guest.sh(`echo 1 > ${TRACEFS}/tracing_on`);
  });

  await t.step("on and check at once", async () => {
    using user = new User(guest);
    const [on, check] = await Promise.all([
      user.run("on", "sys_openat"),
      user.run("check", "--trust-module", "xftrace"),
    ]);
    assert.equal(on.code, 0, on.err);
    // What changes while it is read may be unjudged, but is no finding.
    assert.ok([0, 3].includes(check.code), check.out + check.err);
    assert.equal((await user.off()).verification.clean, true);
  });

  await t.step(
    "the host's clock is stepped while a guest is traced",
    async () => {
      using clock = new SteppedClock();
      using user = new User(guest, { env: clock.env });
      await user.ok("on", "sys_openat", "--rotate", "10");
      const keys = async () => {
        const status: Status = JSON.parse(await user.ok("status", "--json"));
        assert.deepEqual(status.collector?.sealed?.findings, []);
        return status.collector?.sealed?.keySwitches ?? 0;
      };
      let before = await keys();
      for (const step of [HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 0]) {
        clock.step(step);
        await guest.sh(openLoad(2));
        const now = await keys();
        assert.ok(
          now > before + 2,
          `keys stand still after a step of ${step} s`,
        );
        before = now;
      }
      const off = await user.off();
      assert.equal(off.verification.clean, true);
      assert.equal(opens(user.text()), 10, "none is lost");

      // The clock really is another one.
      clock.step(24 * HOUR);
      await user.ok("on", "--plain");
      const { collector }: Status = JSON.parse(
        await user.ok("status", "--json"),
      );
      const ahead = Date.parse(collector?.started ?? "") - Date.now();
      assert.ok(ahead > 23 * HOUR * 1000, `${ahead}`);
      clock.step(-24 * HOUR);
      await guest.sh(openLoad(1));
      const { code, out, err } = await user.run("off", "--keep");
      assert.equal(code, 0, err);
      assert.match(out, /lost: 0 \(counts equal the guest's own\)/);
    },
  );
  assertNoOops(guest);
});
