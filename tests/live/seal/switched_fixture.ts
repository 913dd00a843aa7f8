/**
 * A sealed trace that is switched off and on again, for short times and for so
 * long that the module removes its filter. It contains exactly what was called
 * while it was on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CONTROL, ENTRY, ENTRY_KIND } from "../../../engine/seal/page/abi.ts";
import { functionAddresses } from "../../../engine/seal/tracer/trace_config.ts";
import {
  isClean,
  verifyRecording,
} from "../../../engine/seal/recording/verify_recording.ts";
import type { Session } from "../../../engine/session.ts";
import type { Guest } from "../../../lab/mod.ts";
import { pollUntil, Scratch, tracerOf, waitUntil } from "./support_fixture.ts";

/** Compares the number of calls that the guest made with the entries. */
export async function recordsWhatIsCalled(
  guest: Guest,
  session: Session,
): Promise<void> {
  using scratch = new Scratch();
  const tracer = tracerOf(session);
  const mkdir = new Map<number, number>();
  /** For each process, since others open a FIFO too. */
  const fifo = new Map<number, number[]>();
  const [mkdirAt, fifoAt] = functionAddresses(session.kernel, [
    "__x64_sys_mkdir",
    "fifo_open",
  ]).map((ip) => Number(ip & 0xffffffffn) | 0);
  await tracer.start({
    roots: ["__x64_sys_mkdir", "fifo_open"],
    hooks: false,
    ...scratch.files,
    onEntry: (_cpu, _sequence, words, at) => {
      const func = words[at + ENTRY.func / 4];
      const kind = (words[at + ENTRY.depth / 4] >>> 16) & 0xff;
      // With an ENDBR, a kernel may use either address for a function.
      const is = (ip: number) => func === ip || func === ip - 4;
      if (kind !== ENTRY_KIND.entry && kind !== ENTRY_KIND.return) return;
      const pid = words[at + ENTRY.pid / 4];
      if (is(mkdirAt)) mkdir.set(kind, (mkdir.get(kind) ?? 0) + 1);
      else if (is(fifoAt)) fifo.set(pid, [...fifo.get(pid) ?? [], kind]);
      else assert.fail(`entry of ${(func >>> 0).toString(16)}`);
    },
  });
  let made = 0;
  const make = (count: number) =>
    pollUntil(
      tracer,
      guest.sh(
        `mkdir ${
          Array.from({ length: count }, () => `/tmp/d${made++}`).join(" ")
        }`,
      ),
    );
  const isParked = (value: number) =>
    waitUntil(() => {
      tracer.poll();
      return tracer.page.u32(CONTROL.parked) === value;
    });
  // A call that begins before the module parks, and ends long after.
  const waiting = Number(
    await guest.sh("mkfifo /tmp/fifo; cat /tmp/fifo >/dev/null & echo $!"),
  );
  await waitUntil(() => {
    tracer.poll();
    tracer.verifyRead();
    return fifo.has(waiting);
  });
  const [long, short] = [5, 15];
  for (let n = 0; n < long + short; n++) {
    tracer.switch(false);
    // Not recorded, whether the module is parked or not.
    if (n % 4 === 0) await make(2);
    if (n < long) await isParked(1);
    if (n < long) await make(2);
    tracer.switch(true);
    await isParked(0);
    await make(3);
  }
  assert.ok(tracer.page.u32(CONTROL.parkings) >= long);
  assert.deepEqual(fifo.get(waiting), [ENTRY_KIND.entry]);
  await pollUntil(tracer, guest.sh("echo > /tmp/fifo"));
  await waitUntil(() => {
    tracer.poll();
    tracer.verifyRead();
    return fifo.get(waiting)?.length === 2;
  });
  const summary = await tracer.stop();
  assert.deepEqual(summary.findings, []);
  assert.equal(summary.lost, 0);
  assert.equal(summary.verification.total.missing, 0);
  assert.equal(summary.verification.total.verified, summary.entries);
  assert.ok(isClean(verifyRecording(scratch.files.recordingPath)));
  const each = 3 * (long + short);
  assert.deepEqual(
    mkdir,
    new Map([[ENTRY_KIND.entry, each], [ENTRY_KIND.return, each]]),
  );
  assert.deepEqual(fifo.get(waiting), [ENTRY_KIND.entry, ENTRY_KIND.return]);
}
