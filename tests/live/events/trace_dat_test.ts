/**
 * A running guest's trace, recorded as a file of trace-cmd: trace-cmd prints the
 * same of it as we do, and no event is missing.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import {
  bootGuest,
  ended,
  SLOW,
  startXftrace,
  TRACEFS,
  xftraceOk,
} from "../support_fixture.ts";

/** Whether it can be compared: CI has it. */
const INSTALLED = spawnSync("trace-cmd").error === undefined;

const WORK = "ls -lR /proc/self >/dev/null 2>&1";

Deno.test({
  name: "a running guest's trace as a file that trace-cmd reads",
  ignore: !INSTALLED,
  async fn() {
    await using guest = await bootGuest("6.12");
    await guest.sh(
      `cd ${TRACEFS}; echo 8192 > buffer_size_kb
       echo 'vfs_*' > set_ftrace_filter; echo function_graph > current_tracer
       for each in sched irq syscalls timer; do
         echo 1 > events/$each/enable
       done; true`,
      SLOW,
    );
    const folder = await Deno.makeTempDir();
    try {
      const path = join(folder, "trace.dat");
      const record = startXftrace([
        "record",
        "-t",
        guest.target,
        "-o",
        path,
        "--from-buffer",
        "--for",
        "2",
      ]);
      await guest.sh(WORK, SLOW);
      const { err, code } = await ended(record);
      assert.equal(code, 0, err);
      const [, events] = /([\d,]+) events, 0 lost/.exec(err)!;
      const theirs = spawnSync("trace-cmd", ["report", path], {
        maxBuffer: 1 << 30,
      });
      assert.equal(theirs.status, 0, String(theirs.stderr));
      const out = await xftraceOk(["report", "-t", `dat:${path}`]);
      const want = new TextDecoder().decode(theirs.stdout).split("\n");
      const got = out.split("\n");
      assert.equal(got.length, want.length);
      const wrong = got.findIndex((line, i) => line !== want[i]);
      assert.equal(got[wrong], want[wrong]);
      console.log(
        `  ${events} events, ${got.length} lines equal`,
      );
      for (const name of ["funcgraph_exit", "sched_switch", "sys_enter_"]) {
        assert.ok(got.some((line) => line.includes(name)), name);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
