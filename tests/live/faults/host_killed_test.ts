/**
 * The collector, or the command that starts or ends it, is killed (SIGKILL) at
 * random instants: what was collected is kept and genuine, `off` undoes what
 * was written, and the next `on` works.
 */
import assert from "node:assert/strict";
import { times } from "../../../engine/base/long_fixture.ts";
import {
  assertNoOops,
  openLoad,
  sealedGuest,
  steer,
  tracerOf,
} from "../seal/support_fixture.ts";
import { User } from "../seal/user_fixture.ts";
import { ended, type Run, TRACEFS } from "../support_fixture.ts";
import { CONTROL, PHASE } from "../../../engine/seal/page/abi.ts";
import type { SealedTracer } from "../../../engine/seal/mod.ts";
import { Random } from "../../random.ts";

const SEED = Number(Deno.env.get("XFTRACE_SEED") ?? 20261130);
const KILLS = times(4, 100);
/** The longest time after which something is killed, ms. */
const LONGEST_MS = 3000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The process of the collector that traces a target, if it runs. */
function collectorOf(target: string): number | undefined {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const args = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      const mine = args.includes(target) &&
        args.some((arg) => arg.endsWith("/collector/main.ts"));
      if (mine) return Number(name);
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined;
}

/** Kills a process, if it still runs. */
function killed(pid: number | undefined): void {
  try {
    if (pid !== undefined) Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Fails if a command has said anything but what it is expected to. */
function assertClear({ out, err }: Run): void {
  assert.doesNotMatch(err, /^\s+at |internal error/m, err);
  assert.doesNotMatch(out, /NOT GENUINE|forged: /, out);
}

/** Waits until the module begins to trace, at a host's command. */
async function begins({ page }: SealedTracer, on: Promise<Run>): Promise<void> {
  let over = false;
  void on.then(() => over = true);
  const begun: readonly number[] = [PHASE.filtering, PHASE.registering];
  while (!begun.includes(page.u32(CONTROL.phase)) && !over) await sleep(1);
  assert.equal(over, false, "the module did not begin while `on` ran");
}

Deno.test(`killed at ${KILLS} random instants`, async () => {
  console.log(`  seed ${SEED}`);
  const random = new Random(SEED);
  await using guest = await sealedGuest("6.1");
  using session = steer(guest);
  const tracer = tracerOf(session);
  await guest.sh(`echo 1 > ${TRACEFS}/events/sched/sched_switch/enable`);
  // Steady work, so that there is something to lose at each instant.
  await guest.sh(
    `(${openLoad(1_000_000)}) > /dev/null 2>&1 < /dev/null &`,
  );
  {
    // The module goes on with what the collector had it do.
    using user = new User(guest);
    const before = await user.switches();
    const on = ended(user.start("on", "sys_openat", "--filter", "all"));
    await begins(tracer, on);
    killed(collectorOf(guest.target));
    const { code, err } = await on;
    assert.equal(code, 1, err);
    assert.match(
      err,
      /the collector did not start.*; the guest is as it was$/m,
    );
    while (tracer.page.u32(CONTROL.phase) !== PHASE.idle) await sleep(1);
    assert.equal(tracer.page.u32(CONTROL.registered), 0);
    assert.deepEqual(await user.switches(), before);
    assert.deepEqual(user.traces(), []);
  }
  let verified = 0;
  let events = 0;
  const seen = new Map<string, number>();
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  for (let n = 0; n < KILLS; n++) {
    using user = new User(guest);
    const sealed = n % 2 === 0;
    const victim = (["collector", "on", "collector", "off"] as const)[
      Math.floor(n / 2) % 4
    ];
    const at = random.next(LONGEST_MS);
    const before = await user.switches();
    const on = user.start(
      ...["on", ...(sealed ? ["sys_openat", "--rotate", "10"] : ["--plain"])],
    );
    const begun = ended(on);
    if (victim === "off") {
      const { code, err } = await begun;
      assert.equal(code, 0, err);
      const off = user.start("off", "--keep");
      const left = ended(off);
      await sleep(at);
      killed(off.pid);
      assertClear(await left);
    } else {
      if (victim === "collector" && random.next(2) === 0) await begun;
      await sleep(at);
      killed(victim === "on" ? on.pid : collectorOf(guest.target));
      assertClear(await begun);
    }
    const how = `${n}: ${
      sealed ? "sealed" : "plain"
    }, ${victim} killed after ${at} ms`;
    const off = await ended(user.startAnywhere("off", "--keep"));
    assertClear(off);
    // What was begun is ended by one command, and what was not says so.
    const none = /no trace of `xftrace on` is on/.test(off.err);
    if (!none && off.code !== 0) {
      assert.equal(off.code, 3, `${how}: ${off.err}${off.out}`);
      assert.match(off.out, /NOT COMPLETE/, `${how}: ${off.err}${off.out}`);
    }
    count(`${victim}: ${none ? "no trace" : `off ${off.code}`}`);
    assert.deepEqual(user.traces(), [], how);
    assert.equal(tracer.enabled, false, how);
    assert.deepEqual(await user.switches(), before, how);
    assert.equal(collectorOf(guest.target), undefined, how);
    if (sealed && !none) {
      const verify = await ended(
        user.startAnywhere("verify", user.path("trace.xfs")),
      );
      assertClear(verify);
      assert.ok([0, 1, 3].includes(verify.code), `${how}: ${verify.out}`);
      const row = /^all\s+(\d+)(.*)$/m.exec(verify.out);
      verified += Number(row?.[1] ?? 0);
      assert.match(row?.[2] ?? " 0", /^(?:\s+0)+$/, `${how}: ${verify.out}`);
    } else if (!none) {
      events += Number(
        /: ([\d,]+) events collected/.exec(off.out)?.[1].replaceAll(",", "") ??
          0,
      );
    }
  }
  console.log(
    `  ${KILLS} kills: ${verified} entries verified, ${events} events; ${
      [...seen].map(([what, count]) => `${what} (${count})`).join(", ")
    }`,
  );
  assert.ok(verified > 0 && events > 0, "nothing was collected");
  {
    using user = new User(guest);
    await user.ok("on", "sys_openat");
    await sleep(500);
    assert.equal((await user.off()).verification.clean, true);
  }
  assertNoOops(guest);
});
