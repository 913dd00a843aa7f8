/** Recordings of guests that were restarted, or pretended it. */
import assert from "node:assert/strict";
import { readKlog } from "../keys/read_klog.ts";
import { SEAL } from "../page/abi.ts";
import { STANDS_STILL } from "../page/presence.ts";
import { RecordingKey } from "./authentication.ts";
import { RecordingWriter } from "./recording.ts";
import {
  FakeCpu,
  type RecordedTrace,
  recordTrace,
  withFolder,
} from "./recording_fixture.ts";
import type { RecordedFinding } from "./recording_format.ts";
import { isOnlyRestarted, verifyRecording } from "./verify_recording.ts";

const STANDS = { problem: "no heartbeat", detail: STANDS_STILL };
const RESTARTED = { problem: "guest restarted", detail: "by what it says" };

/** Whether a trace with these findings, in this order, was only restarted. */
function judged(
  findings: readonly (RecordedFinding | "lost")[],
  trace: Partial<RecordedTrace> = {},
  change: (path: string) => void = () => {},
): boolean {
  let result = false;
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path, klog } = recordTrace(folder, { cpu, ended: false, ...trace });
    const key = new RecordingKey(readKlog(klog).records);
    {
      using writer = RecordingWriter.resume(path, key).writer;
      for (const each of findings) {
        if (each === "lost") writer.lost(0, FakeCpu.COUNT + 1, 1);
        else writer.finding(each);
      }
    }
    change(path);
    result = isOnlyRestarted(verifyRecording(path));
  });
  return result;
}

Deno.test("a restart is the only problem when nothing was found before it", () => {
  assert.ok(judged([RESTARTED]));
  // While it restarts, its clock stands still.
  assert.ok(judged([STANDS, RESTARTED]));
});

Deno.test("a restart explains nothing else", () => {
  assert.ok(!judged([]));
  for (
    const problem of [
      "module gone",
      "switched off",
      "foreign key",
      "not called",
    ]
  ) {
    assert.ok(!judged([{ problem, detail: "" }, RESTARTED]), problem);
  }
  // A module that does not answer, though the clock advances.
  assert.ok(!judged([{ problem: "no heartbeat", detail: "x" }, RESTARTED]));
  // The clock went on afterwards.
  assert.ok(!judged([STANDS, "lost", RESTARTED]));
  // The trace was ended.
  assert.ok(!judged([], { ended: true }));
});

Deno.test("what was changed in the recording is no restart", () => {
  assert.ok(
    !judged([RESTARTED], {}, (path) => {
      const bytes = Deno.readFileSync(path);
      const at = bytes.length - RESTARTED.detail.length - 4;
      bytes[at] ^= 1;
      Deno.writeFileSync(path, bytes);
    }),
  );
  assert.ok(
    !judged([RESTARTED], {}, (path) => {
      const bytes = Deno.readFileSync(path);
      const text = new TextDecoder("latin1").decode(bytes);
      bytes[text.indexOf("guest restarted") - 600] ^= 1;
      Deno.writeFileSync(path, bytes);
    }),
  );
});
