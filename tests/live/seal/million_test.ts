/**
 * A million sealed entries with more than a hundred key changes, all of them
 * verified, at two rates of key change.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { NEWEST, OLDEST } from "../support_fixture.ts";
import {
  isClean,
  verifyRecording,
} from "../../../engine/seal/recording/verify_recording.ts";
import {
  assertNoOops,
  pollUntil,
  Scratch,
  SEAL_KERNELS,
  sealedGuest,
  steer,
  tracerOf,
} from "./support_fixture.ts";

const WANTED = 1_000_000;

/** Both CPUs read single bytes, with two short calls for each. */
const LOAD = "for n in 1 2; do " +
  "(while [ ! -e /tmp/stop ]; do dd if=/dev/zero of=/dev/null bs=1 count=4000; done) 2>/dev/null & " +
  "done; wait";

for (
  const kernel of LONG
    ? [OLDEST, ...SEAL_KERNELS, NEWEST]
    : SEAL_KERNELS.slice(-1)
) {
  Deno.test(`a million entries, every one verified, ${kernel}`, async () => {
    await using guest = await sealedGuest(kernel, "ring_kib=16384");
    using session = steer(guest);
    const tracer = tracerOf(session);
    for (const [rotateMs, wanted] of [[100, WANTED], [10, WANTED / 4]]) {
      using scratch = new Scratch();
      await tracer.start({
        roots: ["sys_read", "sys_write"],
        filter: ["vfs_read", "vfs_write"],
        arguments: false,
        rotateMs,
        ...scratch.files,
      });
      const enabled = performance.now();
      await guest.sh("rm -f /tmp/stop");
      const load = guest.exec(LOAD, { timeoutMs: 400_000 });
      // If the test fails first, its own error is shown, and not this one.
      load.catch(() => {});
      let read = 0;
      let first = 0;
      await pollUntil(
        tracer,
        (async () => {
          while (read < wanted || tracer.keySwitches <= 100) {
            read = tracer.positions().reduce((sum, [, n]) => sum + n, 0);
            if (read > 0 && first === 0) first = performance.now() - enabled;
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          await guest.sh("touch /tmp/stop", { timeoutMs: 60_000 });
          await load;
        })(),
        3,
      );
      const stopping = performance.now();
      const summary = await tracer.stop();
      const result = verifyRecording(scratch.files.recordingPath);
      console.log(
        `${kernel}, rotation ${rotateMs} ms: ${summary.entries} entries, ${summary.keySwitches} keys taken, ` +
          `${summary.lost} lost, dropped ${JSON.stringify(summary.dropped)}, ` +
          `first entry read after ${first.toFixed(0)} ms, stopped in ${
            (performance.now() - stopping).toFixed(0)
          } ms`,
      );
      assert.deepEqual(summary.findings, []);
      assert.ok(summary.entries >= wanted);
      assert.ok(summary.keySwitches > 100);
      for (const { total } of [summary.verification, result]) {
        assert.equal(total.verified, summary.entries);
        assert.equal(total.lost, summary.lost);
      }
      assert.ok(isClean(result), result.problems.join("; "));
    }
    assertNoOops(guest);
  });

  Deno.test(`entries that are lost from a small ring are counted, ${kernel}`, async () => {
    await using guest = await sealedGuest(kernel, "ring_kib=64");
    using session = steer(guest);
    const tracer = tracerOf(session);
    using scratch = new Scratch();
    await tracer.start({
      roots: ["sys_read"],
      arguments: false,
      ...scratch.files,
    });
    // Nothing is read during this time, so 1024 entries per ring are left.
    await guest.sh("dd if=/dev/zero of=/dev/null bs=1 count=5000 2>/dev/null");
    const heads = tracer.page.cpus.map((area) =>
      tracer.page.cpuNumber(area, 16)
    );
    tracer.poll();
    const summary = await tracer.stop();
    assert.ok(summary.lost > 5000, `${summary.lost}`);
    assert.ok(heads.reduce((a, b) => a + b) > 10_000);
    const { total } = verifyRecording(scratch.files.recordingPath);
    assert.equal(total.lost, summary.lost);
    assert.equal(total.verified, summary.entries);
    const last = tracer.page.cpus.map((area) =>
      tracer.page.cpuNumber(area, 16)
    );
    assert.equal(
      last.reduce((a, b) => a + b),
      summary.entries + summary.lost,
      "every sequence number is accounted for",
    );
    assert.deepEqual(summary.findings, []);
    assertNoOops(guest);
  });
}
