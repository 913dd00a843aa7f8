/**
 * Bad input: each gives one clear error, a non-zero exit code and no stack
 * trace, and what was collected is kept.
 */
import assert from "node:assert/strict";
import { EXIT } from "../../engine/base/errors.ts";
import {
  assertOneClearError,
  bootGuest,
  ended,
  Guest,
  startXftrace,
  TRACEFS,
  xftrace,
  xftraceOk,
} from "./support_fixture.ts";

/** The pid of the only collector whose state is below a folder. */
function collectorOf(folder: string): number {
  const [{ name }] = Deno.readDirSync(`${folder}/xftrace`);
  const state = Deno.readTextFileSync(`${folder}/xftrace/${name}/state.json`);
  return JSON.parse(state).collector;
}

Deno.test("files that do not hold a guest's memory", async (t) => {
  const folder = await Deno.makeTempDir();
  const path = (name: string) => `${folder}/${name}`;
  await Deno.writeFile(path("empty"), new Uint8Array(0));
  const noise = new Uint8Array(4 << 20);
  for (let at = 0; at < noise.length; at += 65536) {
    crypto.getRandomValues(noise.subarray(at, at + 65536));
  }
  await Deno.writeFile(path("noise"), noise);
  await Deno.writeFile(path("zeros"), new Uint8Array(4 << 20));
  const cases: [string, RegExp][] = [
    [`file:${path("none")}`, /no such file|cannot be found|does not exist/i],
    [`file:${path("empty")}`, /is empty/],
    [`file:${path("noise")}`, /no running Linux kernel was found/],
    [`file:${path("zeros")}`, /no running Linux kernel was found/],
    [`core:${path("noise")}`, /not an ELF core|no ELF/i],
    [`core:${path("none")}`, /no such file|does not exist/i],
    ["qemu:no-such-guest", /no VM named no-such-guest/],
    ["pid:999999999", /no process|does not run|no such process/i],
    [
      "nonsense",
      /qemu:NAME, pid:N, file:PATH, core:PATH, dat:PATH or xfs:PATH/,
    ],
  ];
  for (const [target, expected] of cases) {
    await t.step(target.replace(folder, ""), async () => {
      for (const command of ["info", "report"]) {
        assertOneClearError(await xftrace([command, "-t", target]), expected);
      }
    });
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a guest that is still in its firmware", async () => {
  await using guest = await Guest.boot({ kernel: "none" });
  assertOneClearError(
    await xftrace(["info", "-t", guest.target]),
    /no running Linux kernel was found.*firmware or boot loader/,
  );
});

Deno.test("unknown names, and a guest that ends while it is read", async (t) => {
  const guest = await bootGuest("6.1");
  const target = ["-t", guest.target];
  try {
    await guest.sh(
      `cd ${TRACEFS}; echo 'vfs_*' > set_ftrace_filter
       echo function_graph > current_tracer
       (while :; do find /sys/kernel >/dev/null 2>&1; done) >/dev/null 2>&1 &`,
      { timeoutMs: 120_000 },
    );
    const cases: [string[], RegExp, number][] = [
      [
        ["on", "sys_opena", ...target],
        /no function "sys_opena": did you mean .*"sys_openat"/,
        EXIT.failed,
      ],
      [
        ["on", "vfs_raed", ...target],
        /no function "vfs_raed": did you mean .*"vfs_read"/,
        EXIT.failed,
      ],
      [
        ["on", "--mute", "sched:nothing", ...target],
        /no event sched:nothing/,
        EXIT.failed,
      ],
      [
        ["on", "--without-cpu", "7", ...target],
        /no CPU 7/,
        EXIT.failed,
      ],
      [
        ["report", "--instance", "nothing", ...target],
        /no trace instance "nothing"/,
        EXIT.failed,
      ],
      [
        ["info", "-t", guest.target.slice(0, -1)],
        new RegExp(guest.name),
        EXIT.failed,
      ],
    ];
    for (const [args, expected, code] of cases) {
      await t.step(args.slice(0, 3).join(" "), async () => {
        assertOneClearError(await xftrace(args), expected, code);
      });
    }
    const wrong = await xftrace(["on", "--nonsense", ...target]);
    assert.equal(wrong.code, EXIT.usage);

    const folder = await Deno.makeTempDir();
    const env = { XDG_STATE_HOME: folder };
    await xftraceOk(["on", "vfs_open", ...target], env);
    const show = startXftrace(["show", ...target]);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    // The collector notices the end of its guest when `off` is waiting already.
    const collector = collectorOf(folder);
    Deno.kill(collector, "SIGSTOP");
    await guest.down();

    await t.step(
      "show says that the guest has ended, and keeps its output",
      async () => {
        const run = await ended(show);
        assert.match(run.err, /has ended; what it had traced is above/);
        assert.equal(run.code, EXIT.gone);
        assert.match(run.out, /vfs_/);
      },
    );
    await t.step(
      "the collector ends with the guest, and off writes what it kept",
      async () => {
        const graph = `${folder}/graph.txt`;
        const until = Date.now() + 30_000;
        const first = startXftrace(["off", "-o", graph, ...target], env);
        await new Promise((resolve) => setTimeout(resolve, 3000));
        Deno.kill(collector, "SIGCONT");
        let run = await ended(first);
        while (run.code !== EXIT.gone && Date.now() < until) {
          await new Promise((resolve) => setTimeout(resolve, 500));
          run = await xftrace(["off", "-o", graph, ...target], env);
        }
        assert.equal(run.code, EXIT.gone, run.err);
        assert.match(run.err, /the guest has ended before `xftrace off`/);
        const text = await Deno.readTextFile(graph);
        assert.match(text, /vfs_open\(\)/);
      },
    );
    await Deno.remove(folder, { recursive: true });
  } finally {
    await guest.down();
  }
});
