/**
 * The main functions on running guests: what a user does first, step by step.
 */
import assert from "node:assert/strict";
import { LONG } from "../../engine/base/long_fixture.ts";
import { Follower } from "../../engine/ftrace/ring/follower.ts";
import { traceLayout } from "../../engine/ftrace/ring/meta.ts";
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import type { Info } from "../../scripts/cli/commands/info.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  bootGuest,
  type Guest,
  guestSwitches,
  KERNELS,
  NEWEST,
  OLDEST,
  SLOW,
  TRACEFS,
  xftrace,
  xftraceOk,
} from "./support_fixture.ts";

/** Opens and reads files and forks, on both CPUs, until told to stop. */
const LOAD = `
touch /tmp/load
for cpu in 0 1; do
  (while [ -e /tmp/load ]; do
    find /sys/kernel /proc/self >/dev/null 2>&1
    grep -c a /proc/meminfo /proc/stat /proc/self/maps >/dev/null
  done) >/dev/null 2>&1 &
done`;

/**
 * The same, but slowly enough for a reader in the guest to keep up. With a full
 * ring, a stock kernel's trace_pipe reads entries from pages that it has
 * already given back, warns, and finally kills the reader
 * (get_return_for_leaf(), trace_functions_graph.c: the current entry is
 * consumed before it is copied).
 */
const LOAD_FOR_READER = `
touch /tmp/load
for cpu in 0 1; do
  (cd ${TRACEFS}; while [ -e /tmp/load ]; do
    read _ a < per_cpu/cpu0/stats; read _ b < per_cpu/cpu1/stats
    if [ $((a + b)) -gt 100000 ]; then usleep 100000; continue; fi
    find /sys/kernel/slab /proc/self >/dev/null 2>&1
    grep -c a /proc/meminfo /proc/stat /proc/self/maps >/dev/null
  done) >/dev/null 2>&1 &
done`;

/** A light load: a reader in the guest is always at the newest page. */
const LITTLE_LOAD = `
touch /tmp/load
(while [ -e /tmp/load ]; do
  cat /proc/self/stat /proc/meminfo; usleep 20000
done) >/dev/null 2>&1 &`;

/** For how long. */
const FOLLOW_MS = LONG ? 30_000 : 15_000;
/** The loads under which a live trace is followed. */
const FOLLOWED = [
  { what: "alone", load: LOAD, ms: FOLLOW_MS, gapMs: 20, pipe: false },
  {
    what: "beside trace_pipe",
    load: LOAD_FOR_READER,
    ms: FOLLOW_MS,
    gapMs: 20,
    pipe: true,
  },
  {
    // Most pages are taken, read and given back between two polls.
    what: "beside a trace_pipe that is quicker",
    load: LITTLE_LOAD,
    ms: 8_000,
    gapMs: 500,
    pipe: true,
  },
];

const STOP_LOAD = `
rm -f /tmp/load; killall find grep 2>/dev/null
while pidof find grep >/dev/null; do sleep 0.1; done`;

/**
 * Sets up function_graph for about 600 functions, and events of system calls,
 * the scheduler and interrupts, but does not record yet. Call it only while the
 * guest is idle: an emulated CPU that runs code while it is being patched may
 * hang. The timers' own functions are left out: tracing them takes most of an
 * emulated guest's time.
 */
const TRACE_ALL = `
cd ${TRACEFS}
echo 0 > tracing_on
echo 'vfs_*' > set_ftrace_filter
for glob in 'do_*' '__x64_sys_*' 'handle_*irq*' '__handle_irq*'; do
  echo "$glob" >> set_ftrace_filter 2>/dev/null
done
echo function_graph > current_tracer
echo 1 > events/syscalls/sys_enter_openat/enable
echo 1 > events/syscalls/sys_exit_openat/enable
echo 1 > events/sched/sched_switch/enable
echo 1 > events/irq/enable
echo > trace`;

/** Records until every buffer is full, and stops. */
async function fillBuffers(guest: Guest): Promise<void> {
  await guest.sh(`echo 1 > ${TRACEFS}/tracing_on` + LOAD, SLOW);
  await guest.sh(
    `cd ${TRACEFS}; for i in $(seq 60); do
       grep -q 'overrun: [1-9]' per_cpu/cpu0/stats &&
       grep -q 'overrun: [1-9]' per_cpu/cpu1/stats && break; sleep 1
     done; echo 0 > tracing_on` + STOP_LOAD,
    SLOW,
  );
}

for (const kernel of LONG ? [OLDEST, NEWEST] : KERNELS) {
  Deno.test(`a stock ${kernel} guest, from the host`, async (t) => {
    await using guest = await bootGuest(kernel, "trace_clock=mono");
    const target = ["-t", guest.target];
    await guest.sh(`echo 4096 > ${TRACEFS}/buffer_size_kb`, SLOW);

    await t.step("info agrees with the guest", async () => {
      const info: Info = JSON.parse(
        await xftraceOk(["info", "--json", "--timing", ...target]),
      );
      const release = (await guest.sh("uname -r")).trim();
      assert.equal(info.kernel.release, release);
      const banner = (await guest.sh("cat /proc/version")).trim();
      assert.equal(info.kernel.banner, banner);
      const online = (await guest.sh("nproc")).trim();
      assert.equal(info.kernel.cpus.online.length, Number(online));
      assert.equal(info.ftrace.tracer, "nop");
      assert.equal(info.ftrace.clock, "mono");
      const events = await guest.sh(`wc -l < ${TRACEFS}/available_events`);
      // The list in memory also has events that tracefs does not offer.
      assert.ok(info.ftrace.events.known >= Number(events));
      const first = info.timing?.attachMs ?? NaN;
      const again: Info = JSON.parse(
        await xftraceOk(["info", "--json", "--timing", ...target]),
      );
      console.log(
        `  attach to first event: ${first.toFixed(0)} ms, then with the cache ${
          again.timing?.attachMs.toFixed(0)
        } ms`,
      );
    });

    await t.step("report equals the guest's own trace", async () => {
      await guest.sh(TRACE_ALL, SLOW);
      await fillBuffers(guest);
      const cases: [string, string[]][] = [
        ["", []],
        ["funcgraph-abstime funcgraph-proc funcgraph-tail", [
          "--abstime",
          "--proc",
          "--tail",
        ]],
        ["nofuncgraph-irqs nofuncgraph-duration", [
          "--no-irqs",
          "--no-duration",
        ]],
      ];
      for (const [options, flags] of cases) {
        // Once with flags of the command, once with the guest's own options.
        const mine = await xftraceOk(["report", ...flags, ...target]);
        for (const option of options.split(" ").filter((o) => o !== "")) {
          await guest.sh(`echo ${option} > ${TRACEFS}/trace_options`);
        }
        const { output } = await guest.exec(`cat ${TRACEFS}/trace`, SLOW);
        const want = new TextDecoder().decode(output);
        const lines = assertSameLines(mine, want);
        assertSameLines(await xftraceOk(["report", ...target]), want);
        assert.ok(lines > 50_000, `only ${lines} lines`);
        const has = (text: string) => want.split(text).length - 1;
        console.log(
          `  ${kernel} [${
            options || "default"
          }]: ${lines} of ${lines} lines equal; ` +
            `${has("sys_openat(")} openat enter, ${
              has("sys_openat -> ")
            } exit, ` +
            `${has("sched_switch:")} sched_switch, ${
              has("softirq_entry:")
            } softirq, ${has("irq_handler_entry:")} irq`,
        );
        for (const option of options.split(" ").filter((o) => o !== "")) {
          const back = option.startsWith("no")
            ? option.slice(2)
            : "no" + option;
          await guest.sh(`echo ${back} > ${TRACEFS}/trace_options`);
        }
      }
    });

    await t.step(
      "a trace is followed, alone and beside trace_pipe",
      async () => {
        await guest.sh(`echo 16384 > ${TRACEFS}/buffer_size_kb`, SLOW);
        for (const { what, load, ms, gapMs, pipe } of FOLLOWED) {
          // Recording starts only when it is followed, so all events count.
          await guest.sh(
            `cd ${TRACEFS}; echo 0 > tracing_on; echo > trace` + load,
            SLOW,
          );
          const reading = pipe
            ? guest.exec(
              `timeout ${ms / 1000 - 2} cat ${TRACEFS}/trace_pipe | wc -l`,
              SLOW,
            )
            : undefined;
          // This kernel clears the stamps of pages that were read, and without
          // it a page that was never seen cannot be read any more.
          const clears = kernel === NEWEST;
          await follow(guest, `${kernel} ${what}`, ms, gapMs, clears);
          if (reading !== undefined) {
            // The shell may print "Terminated" before or after it.
            const lines = Number(/^\d+$/m.exec((await reading).text)?.[0]);
            assert.ok(lines > 1000, `trace_pipe read ${lines} lines only`);
            const stats = await guest.sh(`cat ${TRACEFS}/per_cpu/cpu*/stats`);
            assert.deepEqual(
              stats.match(/^overrun: \d+/gm),
              ["overrun: 0", "overrun: 0"],
              "the ring was full",
            );
          }
        }
      },
    );

    await t.step("on, status and off give trace_graph.txt", async () => {
      await guest.sh(
        `cd ${TRACEFS}; echo 0 > tracing_on; echo 0 > events/enable; echo > trace`,
      );
      const words = await guestSwitches(guest);
      const folder = await Deno.makeTempDir();
      const graph = `${folder}/trace_graph.txt`;
      await guest.sh(LOAD, SLOW);
      await xftraceOk(["on", "sys_openat", "sys_read", ...target]);
      assert.equal((await guest.sh(`cat ${TRACEFS}/tracing_on`)).trim(), "1");
      const twice = await xftrace(["on", ...target]);
      assert.match(twice.err, /is on already/);
      assert.equal(twice.code, 1);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const status = JSON.parse(
        await xftraceOk(["status", "--json", ...target]),
      );
      assert.equal(status.recording, true);
      assert.ok(status.collector.events > 0);
      const off = await xftraceOk(["off", "-o", graph, ...target]);
      assert.match(off, /lost: 0 \(counts equal the guest's own\)/);
      console.log(`  ${kernel}: ${off.trim().split("\n").join("; ")}`);
      await guest.sh(STOP_LOAD, SLOW);
      const lines = (await Deno.readTextFile(graph)).split("\n");
      // Depth 0 is two spaces after the bar: only roots are there.
      const roots = new Set(
        lines.map((line) => /\| {2}(\w+)\(\)[ ;]/.exec(line)?.[1])
          .filter((name) => name !== undefined),
      );
      assert.deepEqual([...roots].sort(), [
        "__x64_sys_openat",
        "__x64_sys_read",
      ]);
      assert.deepEqual(await guestSwitches(guest), words);
      await Deno.remove(folder, { recursive: true });
    });

    await t.step(
      "report equals the guest's own trace under other tracers too",
      async () => {
        for (const tracer of ["nop", "function"]) {
          await guest.sh(
            `cd ${TRACEFS}; echo 0 > tracing_on; echo 2048 > buffer_size_kb
           echo ${tracer} > current_tracer
           echo 1 > events/sched/enable; echo 1 > events/syscalls/enable
           echo > trace; echo 1 > tracing_on
           for i in 1 2 3 4 5; do find /sys/kernel >/dev/null 2>&1; done
           sleep 1; echo 0 > tracing_on`,
            SLOW,
          );
          const { output } = await guest.exec(`cat ${TRACEFS}/trace`, SLOW);
          const got = await xftraceOk(["report", ...target]);
          const lines = assertSameLines(got, new TextDecoder().decode(output));
          assert.ok(lines > 500, `only ${lines} lines`);
          console.log(
            `  ${kernel} ${tracer}: ${lines} of ${lines} lines equal`,
          );
        }
      },
    );

    assertNoOops(guest);
  });
}

/** From which time between two polls on a page may never have been seen, ms. */
const LONG_GAP_MS = 100;

/**
 * Follows for some time, stops the guest's recording, and compares counts.
 *
 * @param clears whether pages that are not seen in time cannot be read
 */
async function follow(
  guest: Guest,
  what: string,
  ms: number,
  gapMs: number,
  clears: boolean,
): Promise<void> {
  using session = attachTo(guest);
  const instance = TraceArray.global(session.kernel);
  const layout = traceLayout(session.kernel.types);
  const follower = new Follower(instance, layout);
  const before = instance.buffer().cpuBuffers().map((cpu) => cpu.counters());
  const starting = guest.sh(`echo 1 > ${TRACEFS}/tracing_on`, SLOW);
  const start = performance.now();
  let busy = 0;
  let handed = 0;
  let stepsBack = 0;
  let last = -Infinity;
  let polled = start;
  /** The longest time between two polls, also if the host was busy. */
  let longest = 0;
  const round = () => {
    const from = performance.now();
    longest = Math.max(longest, from - polled);
    polled = from;
    follower.poll();
    handed += follower.drain((columns, row) => {
      const ts = columns.ts[row];
      if (ts < last) stepsBack++;
      last = ts;
    });
    busy += performance.now() - from;
  };
  while (performance.now() - start < ms) {
    round();
    await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
  const share = busy / (performance.now() - start);
  await starting;
  const stopping = guest.sh(
    `echo 0 > ${TRACEFS}/tracing_on` + STOP_LOAD,
    SLOW,
  );
  let stopped = false;
  stopping.then(() => stopped = true);
  while (!stopped) {
    round();
    await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
  await stopping;
  follower.poll();
  handed += follower.drain(() => {}, { all: true });
  const totals = follower.totals();
  console.log(
    `  ${what}: ${totals.decoded} events followed, ${totals.lost} lost, ` +
      `${totals.late} late, ${totals.clockSteps} steps of the guest's clock, ` +
      `${(share * 100).toFixed(1)} % of a core`,
  );
  assert.equal(totals.exact, true);
  assert.equal(handed, totals.decoded);
  if (!clears || longest <= LONG_GAP_MS) assert.equal(totals.lost, 0);
  assert.equal(totals.late, 0);
  assert.equal(stepsBack, 0, "time went back");
  // The guest's own counters, read through tracefs for each CPU.
  for (const account of follower.accounts()) {
    const stats = await guest.sh(
      `cat ${TRACEFS}/per_cpu/cpu${account.cpu}/stats`,
    );
    const stat = (name: string) =>
      Number(new RegExp(`^${name}: (\\d+)`, "m").exec(stats)?.[1]);
    const written = stat("entries") + stat("overrun") + stat("read events");
    const base = before[account.cpu].entries;
    assert.equal(
      account.decoded + account.lost,
      written - base,
      `CPU ${account.cpu}: not what the guest wrote`,
    );
    const now = instance.buffer().cpuBuffers()[account.cpu].counters();
    assert.equal(now.entries, written, "tracefs counts otherwise");
  }
  assert.ok(totals.decoded > 10_000, "hardly anything was traced");
}
