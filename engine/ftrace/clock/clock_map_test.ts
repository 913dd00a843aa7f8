import assert from "node:assert/strict";
import fc from "fast-check";
import { EventColumns } from "../ring/columns.ts";
import { ClockMap } from "./clock_map.ts";
import { ClockWatch } from "./clock_watch.ts";

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9 | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** A guest whose events are read by polls, and the host's time of any of its. */
interface Simulated {
  readonly watch: ClockWatch;
  hostTime(guest: number): number;
  readonly until: number;
}

/**
 * @param rate by how much the guest's clock is faster
 * @param stands when the guest stands still for two seconds, ns of its clock
 */
function simulate(seed: number, rate: number, stands = Infinity): Simulated {
  const dice = random(seed);
  const offset = 5e12 * dice();
  const hostTime = (guest: number) =>
    offset + guest * (1 - rate) + (guest > stands ? 2e9 : 0);
  const until = 12e9;
  let now = 0;
  const watch = new ClockWatch(() => now);
  // Each CPU: the times of events, and when each can be read.
  const rings = [0, 1].map((ring) => {
    const events: { ts: number; seen: number }[] = [];
    let ts = 1e6 * dice();
    let seen = 0;
    while (ts < until) {
      // Bursts, quiet times, and events that are on their way for long.
      const late = dice() < 0.02 ? 3e6 * dice() : 2e3 * dice();
      const own = hostTime(ts) + late;
      // What interrupts an event has its time later, and can be read with it.
      const depth = dice() < 0.1 ? 4 : 1;
      for (let i = 0; i < depth; i++) {
        seen = Math.max(seen, own);
        events.push({ ts, seen });
        ts += 500 * dice();
      }
      ts = Math.max(ts, 0) + (dice() < 0.8 ? 2e4 : 4e6) * dice();
      // The CPU does nothing else until its event can be read.
      while (hostTime(ts) < seen) ts += late;
    }
    return { ring, events, at: 0, columns: new EventColumns(0n) };
  });
  for (now = hostTime(0); now < hostTime(until) + 1e8; now += 5e7 * dice()) {
    for (const each of rings) {
      const before = now;
      now += 1e5 * dice();
      const from = each.columns.length;
      // What could be read at some time while it was read.
      const read = before + (now - before) * dice();
      const { events, columns } = each;
      while (each.at < events.length && events[each.at].seen <= read) {
        columns.reserve(1);
        columns.ts[columns.length++] = events[each.at++].ts;
      }
      watch.polled(each.ring, columns, from, before, dice() < 0.9);
    }
  }
  return { watch, hostTime, until };
}

function assertWithin({ watch, hostTime, until }: Simulated): ClockMap {
  const map = ClockMap.fit(watch.bounds());
  assert.ok(map !== undefined);
  let before = -Infinity;
  for (const part of map.parts) {
    for (let i = 0; i <= 20; i++) {
      const at = part.from + (part.until - part.from) * i / 20.001;
      if (at > until) continue;
      const host = map.at(at);
      const wrong = Math.abs(host - hostTime(at));
      assert.ok(wrong <= part.error + 1, `${at}: ${wrong} > ${part.error}`);
      assert.ok(host >= before, "time goes back");
      before = host;
    }
  }
  return map;
}

Deno.test("no time is farther from the truth than its error says", () => {
  const errors: number[] = [];
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: -500, max: 500 }), (seed, ppm) => {
      const map = assertWithin(simulate(seed, ppm / 1e6));
      errors.push(map.error);
      assert.ok(map.parts.every(({ torn }) => !torn));
    }),
    { numRuns: 20 },
  );
  const [median] = errors.sort((a, b) => a - b).slice(errors.length / 2);
  assert.ok(median < 1e6, `${median}`);
});

Deno.test("a guest that stood still: the error grows only there", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const map = assertWithin(simulate(seed, 2e-5, 5.3e9));
      const torn = map.parts.filter(({ torn }) => torn);
      assert.ok(torn.length <= 4, `${torn.length}`);
      for (const part of map.parts) {
        if (part.until < 5e9 || part.from > 5.6e9) {
          assert.ok(part.error < 5e6, `${part.error}`);
        }
      }
    }),
    { numRuns: 10 },
  );
});

Deno.test("whatever times a guest claims, there is a map, and time goes on in it", () => {
  const time = fc.double({ min: -(2 ** 64), max: 2 ** 64, noNaN: true });
  const bounds = fc.array(fc.record({ from: time, to: time }), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(bounds, bounds, (atMost, atLeast) => {
      const map = ClockMap.fit({ atMost, atLeast });
      assert.ok(map !== undefined && map.error >= 0);
      let before = -Infinity;
      for (const { from, until } of map.parts) {
        for (const at of [from, (from + until) / 2]) {
          const host = map.at(at);
          assert.ok(Number.isFinite(host));
          // Doubles of this size are thousands of ns apart.
          assert.ok(host >= before - 1e6, `${at}: ${host} < ${before}`);
          before = host;
        }
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("with bounds of one kind only, there is no map", () => {
  const bound = [{ from: 1, to: 2 }];
  assert.equal(ClockMap.fit({ atMost: bound, atLeast: [] }), undefined);
  assert.equal(ClockMap.fit({ atMost: [], atLeast: bound }), undefined);
  const map = ClockMap.fit({ atMost: bound, atLeast: [{ from: 1, to: 1 }] });
  assert.equal(map?.at(1), 1.5);
  assert.equal(map?.error, 0.5);
});

Deno.test("a long trace keeps a bounded number of spans", () => {
  let now = 0;
  const watch = new ClockWatch(() => now);
  const columns = new EventColumns(0n);
  for (let i = 0; i < 50_000; i++) {
    columns.clear();
    columns.reserve(10);
    for (let k = 0; k < 10; k++) columns.ts[columns.length++] = i * 1e8 + k;
    now = i * 1e8 + 1000;
    watch.polled(0, columns, 0, now, true);
  }
  const { atMost, atLeast } = watch.bounds();
  assert.ok(atMost.length <= 20_000 && atLeast.length <= 20_000);
  assert.ok(atMost.every(({ from, to }) => to - from <= 1000));
});
