/**
 * Two guests on one time line: what the host does to both at a time that it
 * knows is found there, within the error that is stated.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";
import { LONG, times } from "../../engine/base/long_fixture.ts";
import { EXIT } from "../../engine/base/errors.ts";
import { setRecording } from "../../engine/control/mod.ts";
import { openInstance } from "../../engine/ftrace/mod.ts";
import { HostClock, open } from "../../live.ts";
import {
  bootGuest,
  ended,
  type Guest,
  SLOW,
  startXftrace,
  TRACEFS,
  xftrace,
  xftraceOk,
} from "./support_fixture.ts";

/** A line of the output, as far as it is looked at here. */
interface Line {
  readonly target: string;
  readonly ts?: number;
  readonly name?: string;
  readonly clock?: string;
  readonly errorNs?: number | null;
  readonly torn?: readonly unknown[];
}

const TOGGLES = times(2, 10);
const PAUSE_MS = 300;

/** Many events on all CPUs. */
const BUSY = `cd ${TRACEFS}
echo nop > current_tracer; echo 0 > events/enable; echo > trace
echo 1 > events/sched/enable; echo 1 > events/syscalls/sys_enter_openat/enable
echo 1 > events/irq/enable; echo 1 > tracing_on
for i in 1 2 3; do (while :; do cat /proc/version > /dev/null; done) & done > /dev/null 2>&1`;

Deno.test("two guests on one time line, and a trace.dat beside them", async (t) => {
  using folder = new TemporaryFolder();
  await using one = await bootGuest("6.1");
  await using two = await bootGuest("6.12");
  const guests = [one, two];
  const host = join(folder.path, "host.dat");
  await one.sh(
    `cd ${TRACEFS}; echo mono > trace_clock; echo 1 > events/sched/enable
     echo 1 > tracing_on
     (while :; do cat /proc/version > /dev/null; done) > /dev/null 2>&1 &`,
    SLOW,
  );
  await xftraceOk(["record", "-t", one.target, "-o", host, "--for", "2"]);
  await one.sh(`echo local > ${TRACEFS}/trace_clock`, SLOW);
  for (const guest of guests) await guest.sh(BUSY, SLOW);

  await t.step(
    "what holds one guest is refused, and one guest named twice",
    async () => {
      const both = ["-t", one.target, "-t", two.target];
      const text = await xftrace(["record", ...both, "-o", "x.dat"]);
      assert.match(text.err, /the format dat holds the trace of one guest/);
      assert.equal(text.code, 64);
      const same = await xftrace(
        ["record", "-t", one.target, "-t", one.target, "-o", "x.jsonl"],
      );
      assert.match(same.err, /are the same guest; name it once/);
      assert.equal(same.code, 64);
    },
  );

  const output = join(folder.path, "all.jsonl");
  const clock = new HostClock();
  const began = clock.now();
  const child = startXftrace([
    "record",
    ...["-t", one.target, "-t", two.target],
    ...["--host", host, "-o", output],
  ]);
  const gaps = await toggled(guests, clock);
  child.kill("SIGINT");
  const run = await ended(child);
  assert.equal(run.code, 0, run.err);
  console.log(run.err.trimEnd());

  const lines: Line[] = (await Deno.readTextFile(output)).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  const base = Number(clock.base);

  for (const guest of guests) {
    const own = lines.filter(({ target }) => target === guest.target);
    const [about, ...events] = own;
    const at = events.flatMap(({ ts }) => ts === undefined ? [] : [ts - base]);
    await t.step(`${guest.name}: nothing while the host had it off`, () => {
      assert.equal(about.clock, "CLOCK_MONOTONIC of the host");
      const error = about.errorNs ?? NaN;
      assert.ok(error > 0 && error < 50e6, `${error}`);
      assert.ok(at.length > 1000, `${at.length}`);
      assert.ok(at.every((ts) => ts > began && ts < clock.now()));
      for (const { off, on } of gaps) {
        const inside = at.filter((ts) => ts > off + error && ts < on - error);
        // A CPU that had just looked whether it may record still does.
        assert.ok(inside.length <= 2, `${inside.length}: ${off} to ${on}`);
        const before = at.filter((ts) => ts <= off + error).at(-1) ?? NaN;
        const after = at.find((ts) => ts >= on - error) ?? NaN;
        console.log(
          `  error ${(error / 1e3).toFixed(0)} us; last event ${
            ((off - before) / 1e3).toFixed(0)
          } us before it was off, first ${
            ((after - on) / 1e3).toFixed(0)
          } us after it was on`,
        );
        // Busy guests: something happens often, unless the host is busy too.
        assert.ok(off - before < 2e9 && after - on < 2e9);
      }
    });
  }

  await t.step(
    "all are in order of time, and the file's events are there",
    async () => {
      let last = -Infinity;
      for (const { ts = last } of lines) {
        assert.ok(ts >= last);
        last = ts;
      }
      const own = lines.filter(({ target }) => target.startsWith("host ("));
      const [about, ...events] = own;
      assert.ok((about.errorNs ?? NaN) < 1e6);
      const alone: Line[] = (await xftraceOk([
        "report",
        "-t",
        `dat:${host}`,
        "--format",
        "jsonl",
      ])).trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.equal(events.length, alone.length);
      assert.ok(events.length > 50);
      events.forEach(({ ts, name }, i) => {
        assert.equal(name, alone[i].name);
        // It says that it has the clock of the time line.
        assert.ok(Math.abs((ts ?? NaN) - (alone[i].ts ?? NaN)) < 1e6);
      });
    },
  );

  if (!LONG) return;
  await t.step("a guest that ends: the file has what there was", async () => {
    const file = join(folder.path, "ended.pftrace");
    const child = startXftrace([
      "record",
      ...["-t", one.target, "-t", two.target, "-o", file, "--for", "20"],
    ]);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await one.down();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill("SIGINT");
    const { code, err } = await ended(child);
    assert.equal(code, EXIT.gone, err);
    assert.match(err, /has ended; what was traced until then is in .*ended/);
    assert.ok(Deno.statSync(file).size > 10_000);
    assert.deepEqual(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(),
      ["all.jsonl", "ended.pftrace", "host.dat"],
    );
  });
});

/** When recording was off in all guests, by the host's clock. */
interface Gap {
  readonly off: number;
  readonly on: number;
}

/** Switches recording off and on from the host, in all guests at once. */
async function toggled(
  guests: readonly Guest[],
  clock: HostClock,
): Promise<Gap[]> {
  using opened = new DisposableStack();
  const targets = [];
  for (const { target } of guests) {
    const { session } = opened.use(await open(target, { steered: true }));
    session.memory.makeWritable();
    targets.push({ session, ...openInstance(session) });
  }
  const gaps: Gap[] = [];
  await new Promise((resolve) => setTimeout(resolve, 4000));
  for (let i = 0; i < TOGGLES; i++) {
    for (const target of targets) await setRecording(target, false);
    const off = clock.now();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const on = clock.now();
    for (const target of targets) await setRecording(target, true);
    gaps.push({ off, on });
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return gaps;
}
