/** The library on running guests, as scripts use it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  comm,
  open,
  planText,
  sys_getppid,
  sys_openat,
  sys_read,
  trace,
} from "xftrace/live";
import { bootGuest, ended, KERNELS } from "./support_fixture.ts";

/** The guest's kernel parameters, which start a tracer. */
const APPEND =
  "ftrace=function_graph ftrace_graph_filter=__x64_sys_openat,__x64_sys_getppid trace_buf_size=4M";

/** The example of the README. */
const script = (target: string) => `
import { open, trace, sys_openat } from "xftrace/live";
await using guest = await open("${target}");
console.log(guest.kernel.object("init_task").comm);
for (const task of guest.kernel.tasks()) console.log(task.pid, task.comm);
await trace(sys_openat).until("2s").on(guest).print();
`;

/** A script that goes on while its first run still ends. */
const LEAVES_LOOPS = `
import { sys_getppid, sys_openat, trace } from "xftrace";
for await (const call of trace(sys_openat)) break;
const { total } = await trace(sys_getppid).until("200ms").count();
console.log("steered", total >= 0);
for await (const call of trace(sys_openat)) break;
`;

/** A script that ends while a run goes on. */
const FAILS_BESIDE = `
import { sys_read, trace } from "xftrace";
Promise.resolve(trace(sys_read).until("600s").count());
await new Promise((done) => setTimeout(done, 1500));
console.log("steered true");
throw new Error("something else");
`;

/** Runs a script by `xftrace run`. */
async function runScript(target: string, text: string) {
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  const path = (name: string) => fileURLToPath(import.meta.resolve(name));
  try {
    Deno.writeTextFileSync(file, text);
    return await ended(
      new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--quiet", "--allow-all", "--config"],
          path("../../deno.json"),
          path("../../scripts/xftrace.ts"),
          ...["run", file, "-t", target],
        ],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
  } finally {
    Deno.removeSync(file);
  }
}

for (const kernel of KERNELS) {
  Deno.test(`the library on a ${kernel} guest`, async (t) => {
    await using lab = await bootGuest(kernel, APPEND);
    const load = lab.exec(
      "while :; do cat /proc/version >/dev/null; done",
      { timeoutMs: 600_000 },
    ).catch(() => {});

    await t.step("README's example runs as a program", async () => {
      const file = Deno.makeTempFileSync({ suffix: ".ts" });
      try {
        Deno.writeTextFileSync(file, script(lab.target));
        const { code, out, err } = await ended(
          new Deno.Command(Deno.execPath(), {
            args: [
              "run",
              "--quiet",
              "--allow-all",
              "--config",
              fileURLToPath(import.meta.resolve("../../deno.json")),
              file,
            ],
            stdin: "null",
            stdout: "piped",
            stderr: "piped",
          }).spawn(),
        );
        assert.equal(code, 0, err);
        const lines = out.trimEnd().split("\n");
        assert.equal(lines[0], "swapper/0");
        assert.ok(lines.includes("2 kthreadd"));
        const calls = lines.filter((line) => / sys_openat[ (]/.test(line));
        assert.ok(calls.length > 0, out.slice(0, 2000));
        assert.equal(err, "");
        console.log(
          `  ${kernel}: ${
            lines.length - calls.length - 1
          } tasks, ${calls.length} calls`,
        );
      } finally {
        Deno.removeSync(file);
      }
    });

    await t.step("a trace that changes the guest undoes it", async () => {
      const roots = () => lab.sh("cat /sys/kernel/tracing/set_graph_function");
      const before = await roots();
      await using guest = await open(lab.target, { cache: false });
      assert.equal(guest.running, true);
      const calls = trace(sys_getppid).until("1s").on(guest);
      assert.match(planText(guest.plan([calls.count()])), /roots/);
      const counted = calls.count(comm);
      const running = Promise.resolve(counted);
      // Only one run at a time may change the guest.
      await new Promise((done) => setTimeout(done, 300));
      await assert.rejects(
        Promise.resolve(trace(sys_openat).until("1s").on(guest).count()),
        /is being steered by another run of this script/,
      );
      const { total } = await running;
      assert.equal(typeof total, "number");
      assert.equal(await roots(), before);
    });

    await t.step("a loop that is left, or a block, takes it back", async () => {
      const roots = () => lab.sh("cat /sys/kernel/tracing/set_graph_function");
      const before = await roots();
      {
        await using guest = await open(lab.target, { cache: false });
        for await (const call of trace(sys_openat).on(guest)) {
          assert.equal(call.func, "sys_openat");
          break;
        }
        // The next run waits until that one has undone what it wrote.
        await trace(sys_getppid).until("200ms").on(guest).count();
        for await (const _ of trace(sys_openat).on(guest)) break;
      }
      assert.equal(await roots(), before);
      let counted: Promise<unknown> | undefined;
      {
        await using guest = await open(lab.target, { cache: false });
        counted = Promise.resolve(
          trace(sys_read).until("600s").on(guest).count(),
        );
        const limit = Date.now() + 60_000;
        while (await roots() === before) {
          assert.ok(Date.now() < limit, `the roots stay ${before}`);
        }
      }
      assert.equal(await roots(), before);
      await counted;
    });

    for (
      const [what, text] of [
        ["leaves loops", LEAVES_LOOPS],
        ["fails beside a run", FAILS_BESIDE],
      ]
    ) {
      await t.step(`a script that ${what} takes it back`, async () => {
        const state = () =>
          lab.sh(
            "cat /sys/kernel/tracing/set_graph_function /sys/kernel/tracing/tracing_on",
          );
        const before = await state();
        const { out, err } = await runScript(lab.target, text);
        assert.match(out, /^steered true$/m, err);
        assert.doesNotMatch(err, /was changed by the guest/);
        assert.equal(await state(), before);
      });
    }

    await t.step("a snapshot opens as a recording", async () => {
      const folder = Deno.makeTempDirSync({ prefix: "xftrace-library-" });
      try {
        const path = `${folder}/guest.core.zst`;
        await using guest = await open(lab.target, { cache: false });
        const { events } = await guest.snapshot(path);
        assert.ok(events > 0);
        await using recorded = await open(`core:${path}`, { cache: false });
        assert.equal(recorded.kernel.release, guest.kernel.release);
        assert.equal(recorded.running, false);
        const { total } = await trace(sys_openat).on(recorded).count();
        assert.ok(total > 0);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    });
    await lab.down();
    await load;
  });
}
