import assert from "node:assert/strict";
import { join } from "node:path";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import { drainQueues, handOut } from "../../ftrace/ring/event_queue.ts";
import { Follower } from "../../ftrace/ring/follower.ts";
import { LAYOUT_6_1 } from "../../ftrace/ring/layout_fixture.ts";
import { finish, ringGuest } from "../../ftrace/ring/ring_guest_fixture.ts";
import { SpoolReader } from "../../ftrace/ring/spool.ts";
import { SpoolWriter } from "../../ftrace/ring/spool_writer.ts";
import { BARE_GUEST } from "../writer_fixture.ts";
import type { EventRun, Loss, TraceSource, TraceWriter } from "../writer.ts";
import { spoolRuns } from "./timed_runs.ts";
import { writeTimeLine } from "./write_time_line.ts";

/** A collector's file of a guest with two CPUs; returns the guest's epoch. */
function spooled(path: string, polls: readonly [number, number][]): bigint {
  const sim = ringGuest([20, 20]);
  const follower = new Follower(sim.instance, LAYOUT_6_1);
  using writer = new SpoolWriter(path, {
    target: "qemu:test",
    release: "6.1.0-fixture",
    epoch: String(follower.epoch),
    pageSize: 4096,
    started: "2026-01-02T03:04:05.678Z",
  }, LAYOUT_6_1);
  follower.keep((...segment) => writer.segment(...segment));
  const clocks = [0, 0];
  polls.forEach((counts, i) => {
    counts.forEach((count, cpu) => {
      // The clocks of both CPUs are the same.
      for (let k = 1; k <= count; k++) {
        const now = 1000 * i + Math.floor(1000 * k / count);
        const delta = now - clocks[cpu];
        finish(sim.rings[cpu].write({ words: 3, delta }));
        clocks[cpu] = now;
      }
    });
    follower.poll();
    follower.drain(() => {});
    writer.comm(7, `name ${i}`);
    if (i === 2) writer.lost(1, 5);
    writer.poll(follower.complete, i >= 2 ? 5 : 0, 1);
  });
  return follower.epoch;
}

/** The times of a file's events by CPU, in their order. */
function timesOf(path: string, epoch: bigint): number[][] {
  using spool = new SpoolReader(path, LAYOUT_6_1, epoch);
  const times: number[][] = [[], []];
  const visit = (columns: EventRun["columns"], row: number) => {
    times[columns.cpu[row]].push(columns.ts[row]);
  };
  while (spool.poll()) drainQueues(spool.queues, visit, handOut());
  drainQueues(spool.queues, visit, handOut(), { all: true });
  return times;
}

/** Keeps what comes of each source. */
class Keeper implements TraceWriter {
  readonly times = new Map<TraceSource, number[][]>();
  readonly losses: [TraceSource, number][] = [];
  last = -Infinity;
  refreshed = 0;
  switches = 0;
  #before: TraceSource | undefined;

  begin(sources: readonly TraceSource[]): void {
    for (const source of sources) this.times.set(source, [[], []]);
  }
  events({ source, columns, from, to }: EventRun): void {
    if (source !== this.#before) this.switches++;
    this.#before = source;
    for (let row = from; row < to; row++) {
      assert.ok(columns.ts[row] >= this.last, "in order of time");
      this.last = columns.ts[row];
      this.times.get(source)?.[columns.cpu[row]].push(columns.ts[row]);
    }
  }
  lost({ source, count }: Loss): void {
    this.losses.push([source, count]);
  }
  refresh(): void {
    this.refreshed++;
  }
  end(): void {}
}

Deno.test("two guests on one time line: each event once, in order, where it belongs", () => {
  using folder = new TemporaryFolder();
  const base = 77_000_000_000n;
  const guests = [
    { polls: [[30, 5], [0, 80], [7, 7], [100, 0], [1, 1]], rate: 1, add: 0 },
    {
      polls: [[3, 50], [20, 0], [9, 1], [0, 0], [60, 60]],
      rate: 1.001,
      add: 5,
    },
  ].map(({ polls, rate, add }, i) => {
    const path = join(folder.path, `${i}`);
    const epoch = spooled(path, polls as [number, number][]);
    const start = timesOf(path, base).flat().reduce((a, b) => Math.min(a, b));
    // Both begin at nearly the same time of the time line.
    const map = (ts: number) => Math.round(add + rate * (ts - start));
    const source: TraceSource = { ...BARE_GUEST, kind: "collected" };
    return { path, epoch, map, source };
  });
  const keeper = new Keeper();
  using opened = new DisposableStack();
  const [one, two] = guests.map(({ path, map, source }) => ({
    source,
    runs: spoolRuns(
      opened.use(new SpoolReader(path, LAYOUT_6_1, base)),
      map,
    ),
  }));
  const totals = writeTimeLine([one, two], keeper);
  let events = 0;
  for (const { path, map, source } of guests) {
    const expected = timesOf(path, base).map((times) => times.map(map));
    assert.deepEqual(keeper.times.get(source), expected);
    events += expected.flat().length;
  }
  assert.ok(events > 300, `${events}`);
  assert.deepEqual(totals, { events, lost: 10, dropped: 2 });
  assert.deepEqual(
    keeper.losses,
    [[one.source, 5], [two.source, 5]].sort(([a]) =>
      a === keeper.losses[0][0] ? -1 : 1
    ),
  );
  assert.ok(keeper.switches > 4, `${keeper.switches}`);
  assert.ok(keeper.refreshed > 0);
});

Deno.test("a source without events, and times that count from elsewhere", () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, "spool");
  const epoch = spooled(path, [[5, 5]]);
  const empty = join(folder.path, "empty");
  spooled(empty, [[0, 0]]);
  const source: TraceSource = { ...BARE_GUEST, kind: "collected" };
  const none: TraceSource = { ...BARE_GUEST, kind: "collected" };
  const keeper = new Keeper();
  using spool = new SpoolReader(path, LAYOUT_6_1, 0n);
  using nothing = new SpoolReader(empty, LAYOUT_6_1, 0n);
  writeTimeLine([
    { source: none, runs: spoolRuns(nothing, (ts) => ts) },
    { source, runs: spoolRuns(spool, (ts) => ts) },
  ], keeper);
  const own = timesOf(path, epoch).map((times) =>
    times.map((ts) => ts + Number(epoch))
  );
  assert.deepEqual(keeper.times.get(source), own);
  assert.deepEqual(keeper.times.get(none), [[], []]);
});
