/**
 * The sealed tracer is switched on and off, loaded and unloaded many times; its
 * collector is killed, its module unloaded during a trace, its guest reset.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { NEWEST, OLDEST } from "../support_fixture.ts";
import { fileURLToPath } from "node:url";
import { CPU } from "../../../engine/seal/page/abi.ts";
import {
  isClean,
  verifyRecording,
} from "../../../engine/seal/recording/verify_recording.ts";
import {
  assertNoOops,
  openLoad,
  pollUntil,
  Scratch,
  SEAL_KERNELS,
  sealedGuest,
  steer,
  traceAround,
  tracerOf,
} from "./support_fixture.ts";
import { recordsWhatIsCalled } from "./switched_fixture.ts";

const NARROW = {
  roots: ["sys_openat", "sys_read"],
  filter: ["vfs_read"],
} as const;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (
  const kernel of LONG
    ? [OLDEST, ...SEAL_KERNELS, NEWEST]
    : SEAL_KERNELS.slice(-1)
) {
  Deno.test(`200 times on and off, parked and not, 20 times loaded and unloaded, ${kernel}`, async () => {
    await using guest = await sealedGuest(kernel);
    using session = steer(guest);
    {
      using scratch = new Scratch();
      const tracer = tracerOf(session);
      await tracer.start({ ...NARROW, hooks: false, ...scratch.files });
      const load = guest.exec(
        "while [ ! -e /tmp/stop ]; do cat /proc/modules > /dev/null; done",
        { timeoutMs: 300_000 },
      );
      for (let n = 0; n < 200; n++) {
        // The flag alone, as a script that looks now and then would do it.
        tracer.switch(false);
        await sleep(2);
        tracer.switch(true);
        await sleep(3);
        tracer.poll();
      }
      await pollUntil(tracer, guest.sh("touch /tmp/stop"));
      await pollUntil(tracer, load);
      const summary = await tracer.stop();
      console.log(`${kernel}: ${summary.entries} entries in 200 cycles`);
      assert.deepEqual(summary.findings, []);
      assert.ok(summary.entries > 500);
      assert.equal(summary.verification.total.verified, summary.entries);
      assert.ok(isClean(verifyRecording(scratch.files.recordingPath)));
    }
    for (let n = 0; n < 20; n++) {
      using scratch = new Scratch();
      const summary = await traceAround(
        tracerOf(session),
        { ...NARROW, hooks: false, ...scratch.files },
        () => guest.sh(openLoad(1)),
      );
      assert.deepEqual(summary.findings, []);
      assert.ok(summary.verification.total.verified > 0);
      assert.ok(isClean(verifyRecording(scratch.files.recordingPath)));
      await guest.sh("rmmod xftrace && insmod /tmp/xftrace.ko");
    }
    await recordsWhatIsCalled(guest, session);
    assertNoOops(guest);
  });

  Deno.test(`a trace continues after its collector was killed, ${kernel}`, async () => {
    await using guest = await sealedGuest(kernel);
    using scratch = new Scratch();
    const { klogPath, recordingPath } = scratch.files;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--allow-all",
        fileURLToPath(import.meta.resolve("./collector.ts")),
        guest.target,
        scratch.folder,
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    const load = guest.exec(openLoad(40), { timeoutMs: 120_000 });
    await sleep(700);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await sleep(200);

    using session = steer(guest);
    const tracer = tracerOf(session);
    assert.ok(tracer.enabled, "the guest goes on by itself");
    tracer.resume({ ...NARROW, rotateMs: 10, klogPath, recordingPath });
    await pollUntil(tracer, load);
    const summary = await tracer.stop();
    const result = verifyRecording(recordingPath);
    const heads = tracer.page.cpus.reduce(
      (sum, area) => sum + tracer.page.cpuNumber(area, CPU.head),
      0,
    );
    console.log(
      `${kernel}: ${heads} entries, ${summary.entries} of them after the kill`,
    );
    assert.deepEqual(summary.findings, []);
    assert.deepEqual(result.problems, []);
    assert.ok(isClean(result));
    assert.equal(result.total.verified + result.total.lost, heads);
    assert.equal(result.total.lost, 0);
    assertNoOops(guest);
  });

  Deno.test(`a module that is unloaded, and a guest that is reset, ${kernel}`, async () => {
    await using guest = await sealedGuest(kernel);
    using session = steer(guest);
    {
      using scratch = new Scratch();
      const tracer = tracerOf(session);
      await tracer.start({ ...NARROW, ...scratch.files });
      await pollUntil(tracer, guest.sh(`${openLoad(2)}; rmmod xftrace`));
      tracer.poll();
      const { findings, verification } = await tracer.stop();
      assert.deepEqual(findings.map((f) => f.problem), ["module gone"]);
      assert.ok(verification.total.verified > 0);
      const result = verifyRecording(scratch.files.recordingPath);
      assert.match(result.problems.join(), /was not stopped/);
      assertNoOops(guest);
    }
    {
      using scratch = new Scratch();
      await guest.sh(
        "insmod /tmp/xftrace.ko",
      );
      const tracer = tracerOf(session);
      await tracer.start({ ...NARROW, ...scratch.files });
      await pollUntil(tracer, guest.sh(openLoad(2)));
      await guest.qmp("system_reset");
      const until = performance.now() + 20_000;
      while (tracer.findings.length === 0 && performance.now() < until) {
        tracer.poll();
        await sleep(50);
      }
      const { findings, entries } = await tracer.stop();
      assert.ok(entries > 0);
      assert.ok(
        findings.some((f) =>
          f.problem === "module gone" || f.problem === "no heartbeat"
        ),
        JSON.stringify(findings),
      );
      assert.ok(!isClean(verifyRecording(scratch.files.recordingPath)));
    }
  });
}
