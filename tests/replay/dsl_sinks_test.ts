/**
 * Every sink and every limit on the recordings.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  comm,
  compile,
  type CountTable,
  cpu,
  duration,
  event,
  func,
  type HistTable,
  type Query,
  setRunner,
  type StatsTable,
  sys_openat,
  trace,
  type Window,
} from "../../mod.ts";
import type { EventLike } from "../../engine/query/spec.ts";
import { openRecording, RECORDED, runOver } from "../dsl/support_fixture.ts";

for (const kernel of RECORDED) {
  Deno.test(`sinks agree with each other (${kernel})`, () => {
    using recording = openRecording(kernel);
    const { target, frame } = recording;
    const run = (...queries: Query<unknown>[]) =>
      runOver(
        compile(queries.map((query) => query.spec), target.facts),
        target,
        frame,
      );
    const opens = trace(sys_openat).via("graph");
    const { results, written, events } = run(
      opens.collect(),
      opens.count(),
      opens.count(comm),
      opens.hist(duration, cpu),
      opens.lhist(duration, { from: 0, to: 50_000, step: 10_000 }),
      opens.stats(duration),
      opens.top(3),
      opens.print(),
    );
    const [list, count, byComm, hist, lhist, stats, top, printed] = results as [
      { comm: string; duration: number; ts: number }[],
      CountTable,
      CountTable,
      HistTable,
      HistTable,
      StatsTable,
      EventLike[],
      number,
    ];
    assert.ok(list.length > 50);
    assert.equal(count.total, list.length);
    assert.equal(byComm.total, list.length);
    for (const { key, count } of byComm.rows) {
      assert.equal(list.filter((e) => e.comm === key[0]).length, count);
    }
    const sum = (table: HistTable) =>
      table.rows.flatMap((row) => row.buckets)
        .reduce((total, bucket) => total + bucket.count, 0);
    assert.equal(sum(hist), list.length);
    assert.equal(sum(lhist), list.length);
    const [row] = stats.rows;
    assert.equal(row.total, list.reduce((all, e) => all + e.duration, 0));
    assert.equal(row.max, Math.max(...list.map((e) => e.duration)));
    const greatest = list.map((e) => e.duration).sort((a, b) => b - a);
    assert.deepEqual(top.map((e) => e.duration), greatest.slice(0, 3));
    assert.equal(printed, list.length);
    assert.equal(written.split("\n").length - 1, list.length);
    assert.ok(events.every((n) => n === list.length));
    assert.ok(list.every((e, i) => i === 0 || e.ts >= list[i - 1].ts));
  });

  Deno.test(`graphs: times of nested calls add up (${kernel})`, () => {
    using recording = openRecording(kernel);
    const { target, frame } = recording;
    const opens = trace(sys_openat).via("graph");
    const queries = [
      opens.graph(),
      opens.folded(),
      opens.depth(Infinity).count(func),
      opens.depth(2).graph(),
    ];
    const { results, written } = runOver(
      compile(queries.map((query) => query.spec), target.facts),
      target,
      frame,
    );
    const drawn = written.split("\n");
    assert.equal(
      drawn.filter((line) => line.endsWith("|  sys_openat() {")).length,
      (results[0] as number) + (results[3] as number),
    );
    const opened = drawn.filter((line) => line.endsWith("{")).length;
    const closed = drawn.filter((line) => line.endsWith("}")).length;
    assert.equal(opened, closed);
    const inside = (results[2] as CountTable).get("do_sys_openat2");
    assert.ok(inside >= (results[0] as number));
    const folded = String(results[1]);
    assert.match(folded, /^\S+;sys_openat;do_sys_openat2;\S+ \d+$/m);
  });

  Deno.test(`limits: from and until (${kernel})`, () => {
    using recording = openRecording(kernel);
    const { target, frame } = recording;
    const run = (query: Query<unknown>) =>
      runOver(compile([query.spec], target.facts), target, frame);
    const list = (query: Query<unknown>) =>
      run(query).results[0] as { ts: number; comm: string }[];
    const opens = trace(sys_openat);
    const all = list(opens.collect());
    assert.deepEqual(list(opens.until(7).collect()), all.slice(0, 7));
    const tenth = all[9].ts;
    assert.deepEqual(
      list(opens.until((e) => e.ts === tenth).collect()),
      all.slice(0, 10),
    );
    assert.deepEqual(
      list(opens.from((e) => e.ts === tenth).collect()),
      all.slice(9),
    );
    const { columns } = frame;
    const first = Number(columns.epoch) +
      Math.min(...columns.ts.slice(0, columns.length));
    const half = all[Math.floor(all.length / 2)].ts - first;
    const early = list(opens.until(`${half}ns`).collect());
    const late = list(opens.from(`${half}ns`).collect());
    assert.ok(early.length < all.length && late.length < all.length);
    assert.ok(early.length + late.length >= all.length);
    const forks = list(event("sched:sched_process_fork").collect());
    const before = list(
      opens.until(event("sched:sched_process_fork")).collect(),
    );
    assert.deepEqual(before, all.filter((e) => e.ts <= forks[0].ts));
    const after = list(opens.from(event("sched:sched_process_fork")).collect());
    assert.deepEqual(after, all.filter((e) => e.ts >= forks[0].ts));
  });
}

for (const kernel of RECORDED) {
  Deno.test(`windows: every sink gives one result per window (${kernel})`, () => {
    using recording = openRecording(kernel);
    const { target, frame } = recording;
    const opens = trace(sys_openat).via("graph");
    const windows = opens.every("5ms");
    const taken: unknown[] = [];
    const queries = [
      opens.collect(),
      opens.graph(),
      windows.collect(),
      windows.count(),
      windows.hist(duration),
      windows.stats(duration),
      windows.top(1),
      windows.print(),
      windows.json(),
      windows.into({ event: (e) => taken.push(e) }),
      windows.graph(),
      windows.folded("calls"),
    ];
    const { results, written, texts } = runOver(
      compile(queries.map((query) => query.spec), target.facts),
      target,
      frame,
    );
    const [all, graphs, ...lists] = results as [
      { ts: number; duration: number }[],
      number,
      ...Window<unknown>[][],
    ];
    const [collected, counts, hists, stats, tops, ...others] = lists;
    assert.ok(collected.length > 3, `${collected.length} windows`);
    for (const list of lists) {
      assert.deepEqual(
        list.map(({ from, to }) => [from, to]),
        collected.map(({ from, to }) => [from, to]),
      );
    }
    const events = collected as Window<typeof all>[];
    assert.deepEqual(
      events.flatMap(({ result }) => result.map((e) => e.ts)),
      all.map((e) => e.ts),
    );
    const { columns } = frame;
    const origin = Number(columns.epoch) +
      Math.min(...columns.ts.slice(0, columns.length));
    events.forEach(({ from, to, result }, i) => {
      assert.equal(to - from, 5e6);
      assert.ok(i === 0 || from >= events[i - 1].to);
      assert.ok(
        result.every(({ ts }) => ts - origin >= from && ts - origin < to),
      );
      const n = result.length;
      assert.equal((counts[i].result as CountTable).total, n);
      const [buckets] = (hists[i].result as HistTable).rows;
      assert.equal(buckets.buckets.reduce((sum, b) => sum + b.count, 0), n);
      assert.equal((stats[i].result as StatsTable).rows[0].count, n);
      assert.deepEqual(
        (tops[i].result as typeof all).map((e) => e.duration),
        [Math.max(...result.map((e) => e.duration))],
      );
      const [printed, json, handed] = others.map((list) => list[i].result);
      assert.deepEqual([printed, json, handed], [n, n, n]);
    });
    // Calls that began before the recording are not drawn.
    const drawn = others[3].reduce((sum, w) => sum + Number(w.result), 0);
    assert.equal(drawn, graphs);
    assert.equal(taken.length, all.length);
    // Each window is shown when it ends, also the last one.
    assert.deepEqual(texts.slice(2), lists.map(() => ""));
    const headings = written.match(/^-- [\d.]+ s$/gm) ?? [];
    assert.equal(new Set(headings).size, collected.length);
  });
}

Deno.test("awaiting: queries in one tick share a pass; for await ends early", async () => {
  using recording = openRecording("6.1");
  const { target, frame } = recording;
  let passes = 0;
  setRunner((specs) => {
    passes++;
    const { results } = runOver(compile(specs, target.facts), target, frame);
    return Promise.resolve(results);
  });
  try {
    const opens = trace(sys_openat);
    const [total, byComm] = await Promise.all([
      opens.count(),
      opens.count(comm),
    ]);
    assert.equal(passes, 1);
    assert.equal(total.total, byComm.total);
    let seen = 0;
    for await (const each of opens) {
      assert.equal(each.func, "sys_openat");
      if (++seen === 5) break;
    }
    assert.equal(seen, 5);
    assert.equal(passes, 2);
  } finally {
    setRunner(undefined);
  }
  await assert.rejects(
    async () => await trace(sys_openat).count(),
    /no target is open for this query/,
  );
});
