/**
 * The npm package on a running guest, with only Node on the path: commands, the
 * collector that they start, and a program that imports the library.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Installed } from "../package/installed_fixture.ts";
import { bootGuest } from "./support_fixture.ts";

const KERNEL = "6.12";
const APPEND =
  "ftrace=function_graph ftrace_graph_filter=__x64_sys_openat,__x64_sys_read trace_buf_size=8M";

/** The README's example. */
const five = (target: string) => `
import { open, trace, sys_openat } from "xftrace/live";
await using guest = await open("${target}");
console.log(guest.kernel.object("init_task").comm);
for (const task of guest.kernel.tasks()) console.log(task.pid, task.comm);
await trace(sys_openat).until("2s").on(guest).print();
`;

Deno.test(`the npm package on a ${KERNEL} guest`, async (t) => {
  await using guest = await bootGuest(KERNEL, APPEND);
  await using installed = await Installed.fromCheckout();
  const { target } = guest;
  await guest.sh(
    "(while :; do cat /proc/version >/dev/null; done) >/dev/null 2>&1 &",
  );

  await t.step("info", async () => {
    const said = JSON.parse(
      await installed.ok("npx", "xftrace", "info", "-t", target, "--json"),
    );
    assert.ok(said.kernel.release.startsWith(KERNEL), said.kernel.release);
  });

  await t.step("the README's example runs", async () => {
    await installed.write("five.ts", five(target));
    const out = await installed.ok(
      "npx",
      "deno",
      "run",
      "--check",
      "--allow-all",
      "five.ts",
    );
    const lines = out.trimEnd().split("\n");
    assert.equal(lines[0], "swapper/0");
    assert.ok(lines.includes("2 kthreadd"));
    assert.ok(lines.some((line) => / sys_openat[ (]/.test(line)), out);
  });

  await t.step(
    "on starts a collector, and off writes what it kept",
    async () => {
      const on = await installed.ok(
        "npx",
        "xftrace",
        "on",
        "sys_openat",
        "-t",
        target,
      );
      assert.match(on, /^recording sys_openat in /);
      const status = await installed.ok(
        "npx",
        "xftrace",
        "status",
        "-t",
        target,
      );
      assert.match(status, /collect/);
      const off = await installed.ok("npx", "xftrace", "off", "-t", target);
      assert.match(off, /events collected/);
      const text = await Deno.readTextFile(
        join(installed.folder, "trace_graph.txt"),
      );
      assert.match(text, /do_sys_openat2\(/);
    },
  );
});
