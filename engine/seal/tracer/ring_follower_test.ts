import assert from "node:assert/strict";
import { CPU, ENTRY, ENTRY_KIND } from "../page/abi.ts";
import { ControlPage } from "../page/control_page.ts";
import { ModuleGuest } from "../page/module_fixture.ts";
import type { PresenceFinding } from "../page/presence.ts";
import type { Backlog } from "../recording/backlog.ts";
import type { RecordingWriter } from "../recording/recording.ts";
import { RingFollower } from "./ring_follower.ts";

/** A follower, what it has passed on, and the findings. */
function setting(recorded = true, ringEntries = 64) {
  const guest = new ModuleGuest({ entries: ringEntries });
  const page = ControlPage.find(guest.kernel);
  assert.ok(page !== undefined);
  guest.cpus.forEach((_, cpu) => guest.setCpu64(cpu, CPU.ack_epoch, 1));
  const stored: string[] = [];
  const waiting: string[] = [];
  const findings: PresenceFinding[] = [];
  const follower = new RingFollower(page, {
    recording: recorded
      ? {
        entries: (cpu: number, from: number, bytes: Uint8Array) =>
          stored.push(`${cpu}: ${from}+${bytes.length / ENTRY.bytes}`),
        lost: (cpu: number, from: number, count: number) =>
          stored.push(`${cpu}: lost ${from}+${count}`),
      } as unknown as RecordingWriter
      : undefined,
    backlog: {
      entries: (cpu: number, bytes: Uint8Array) =>
        waiting.push(`${cpu}: ${bytes.length / ENTRY.bytes}`),
      lost: (cpu: number, count: number) =>
        waiting.push(`${cpu}: lost ${count}`),
    } as unknown as Backlog,
    report: (finding) => findings.push(finding),
  });
  const write = (cpu: number, count: number) => {
    for (let i = 0; i < count; i++) guest.push(cpu, { kind: ENTRY_KIND.entry });
  };
  return { guest, follower, stored, waiting, findings, write };
}

Deno.test("entries of all CPUs go to the recording and to the verifier", () => {
  const { follower, stored, waiting, write } = setting();
  write(0, 3);
  write(1, 5);
  let between = 0;
  follower.read(() => between++);
  write(1, 1);
  follower.read(() => between++);
  assert.deepEqual(stored, ["0: 1+3", "1: 1+5", "1: 6+1"]);
  assert.deepEqual(waiting, ["0: 3", "1: 5", "1: 1"]);
  assert.deepEqual([follower.entries, follower.lost, between], [9, 0, 2]);
  assert.deepEqual(follower.positions(), [[0, 3], [1, 6]]);
});

Deno.test("what was overwritten is counted, stored and told, at its place", async () => {
  const { follower, stored, waiting, write } = setting();
  write(0, 70);
  await new Promise((resolve) => setTimeout(resolve, 2));
  follower.read(() => {});
  assert.deepEqual(stored, ["0: lost 1+7", "0: 8+63"]);
  assert.deepEqual(waiting, ["0: lost 7", "0: 63"]);
  assert.deepEqual([follower.entries, follower.lost], [63, 7]);
});

Deno.test("a ring that the guest goes around while another is read has not moved back", () => {
  const { follower, stored, findings, write } = setting(true, 32_768);
  write(0, 10);
  write(1, 20_000);
  let parts = 0;
  follower.read(() => {
    // The heads have been read; CPU 1 takes two parts.
    if (++parts === 1) write(0, 40_000);
  });
  assert.deepEqual(findings, []);
  assert.equal(parts, 2);
  follower.read(() => {});
  assert.deepEqual(findings, []);
  assert.deepEqual(stored, [
    "0: lost 1+7243",
    "1: 1+16384",
    "1: 16385+3616",
    "0: 7244+16384",
    "0: 23628+16383",
  ]);
});

Deno.test("without a recording, the verifier still gets everything", () => {
  const { follower, waiting, write } = setting(false);
  write(1, 2);
  follower.read(() => {});
  assert.deepEqual(waiting, ["1: 2"]);
});

Deno.test("a head that moved in an impossible way is reported with its CPU", () => {
  const { guest, follower, findings, write } = setting();
  write(0, 10);
  write(1, 10);
  follower.read(() => {});
  guest.setCpu64(0, CPU.head, 4);
  guest.setCpu64(1, CPU.head, 10n ** 12n);
  follower.read(() => {});
  follower.read(() => {});
  assert.deepEqual(findings.map(({ problem }) => problem), [
    "head moved back",
    "head moved ahead",
  ]);
  assert.match(findings[0].detail, /CPU 0 went back from 10 to 4/);
  assert.match(findings[1].detail, /CPU 1 went from 10 to 1000000000000/);
});

Deno.test("a recording is continued after its last entry of each CPU", () => {
  const { follower, stored, write } = setting();
  write(0, 9);
  write(1, 4);
  const skipped: [number, number][] = [];
  follower.skip(
    new Map([[0, 6]]),
    (cpu, next) => skipped.push([cpu, next]),
  );
  assert.deepEqual(skipped, [[0, 6], [1, 1]]);
  follower.read(() => {});
  assert.deepEqual(stored, ["0: 6+4", "1: 1+4"]);
});
