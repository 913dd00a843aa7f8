import assert from "node:assert/strict";
import { serve } from "../collector/protocol.ts";
import { StateFolder, type TraceState } from "../collector/state.ts";
import { endCollector, requireFree } from "./collector_process.ts";

const STATE: TraceState = {
  format: 2,
  target: "qemu:web1",
  functions: [],
  roots: [],
  applied: [],
  byFiles: false,
  wasRecording: false,
  started: "2026-01-02T03:04:05.678Z",
  collector: 0,
};

/** Runs `body` with a guest's state folder. */
async function withFolder(
  body: (folder: StateFolder) => Promise<void>,
): Promise<void> {
  const base = Deno.makeTempDirSync({ prefix: "xftrace-state-" });
  try {
    const folder = new StateFolder("vm-1-2", base);
    folder.create();
    await body(folder);
  } finally {
    Deno.removeSync(base, { recursive: true });
  }
}

const free = (folder: StateFolder) => requireFree(folder, "qemu:web1");

Deno.test("a guest without a trace is free", async () => {
  await withFolder(free);
});

Deno.test("a trace whose collector runs must be ended first", async () => {
  await withFolder(async (folder) => {
    folder.write(STATE);
    const stop = new AbortController();
    const status = { events: 0, lost: 0, dropped: 0, bytes: 0, exact: true };
    const served = serve(folder.socket, () => ({ status }), stop.signal);
    try {
      await assert.rejects(
        free(folder),
        /qemu:web1 is on already, since 2026-\S+; run `xftrace off -t qemu:web1` first$/,
      );
    } finally {
      stop.abort();
      await served;
    }
  });
});

Deno.test("a trace whose collector is gone is told from one that was not undone", async () => {
  await withFolder(async (folder) => {
    folder.write(STATE);
    await assert.rejects(free(folder), /was not ended .* it gets what was/);
    folder.write({ ...STATE, collected: true });
    await assert.rejects(
      free(folder),
      /could not undo everything; run `xftrace off -t qemu:web1` again/,
    );
    folder.write({
      ...STATE,
      sealed: {
        seal: "xor",
        rotateMs: 10,
        roots: [],
        filter: "all",
        depth: 0,
        interrupts: false,
        arguments: true,
        hooks: true,
        klogPath: "/a.klog",
        recordingPath: "/a.xfs",
        resume: false,
      },
    });
    await assert.rejects(free(folder), /`xftrace on --resume -t qemu:web1`/);
  });
});

Deno.test("a collector is told to end, and waited for", async () => {
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      "trap 'sleep 0.1; exit 3' TERM; echo up; while :; do sleep 0.02; done",
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.getReader();
  await lines.read();
  let ended = false;
  const status = child.status.then(({ code }) => {
    ended = true;
    return code;
  });
  await endCollector(child.pid, () => ended);
  assert.equal(await status, 3);
  await lines.cancel();
  // It has ended already: there is nobody to wait for.
  await endCollector(child.pid, () => false);
});
