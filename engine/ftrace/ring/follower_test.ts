import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { Follower, traceEpoch } from "./follower.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { SimRing } from "./ring_fixture.ts";
import {
  addSnapshot,
  checkEvent,
  finish,
  type RingGuest,
  ringGuest,
  swapBuffers,
  swapCpu,
  writeMany,
} from "./ring_guest_fixture.ts";

/** A follower of all CPUs whose events are checked as they are handed out. */
class Watch {
  readonly follower: Follower;
  /** Sequence numbers per CPU. */
  readonly seen: number[][];
  readonly times: number[] = [];
  readonly #sim: RingGuest;

  constructor(sim: RingGuest) {
    this.#sim = sim;
    this.seen = sim.rings.map(() => []);
    this.follower = new Follower(sim.instance, LAYOUT_6_1);
  }

  step(all = false): number {
    const count = this.follower.poll();
    this.follower.drain((columns, row, arena) => {
      const cpu = columns.cpu[row];
      const ring = this.#sim.rings[cpu];
      this.seen[cpu].push(checkEvent(ring, columns, row, arena));
      this.times.push(columns.ts[row]);
    }, { all });
    return count;
  }
}

Deno.test("the epoch is the second of the newest page", () => {
  const sim = ringGuest([2, 2]);
  finish(sim.rings[1].write({ words: 3, delta: 7_123_456_789 }));
  assert.equal(traceEpoch(sim.instance, LAYOUT_6_1), 1007_000_000_000n);
});

Deno.test("events of all CPUs arrive in time order, each once", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          cpu: fc.nat(2),
          count: fc.integer({ min: 1, max: 20 }),
          poll: fc.boolean(),
        }),
        { minLength: 1, maxLength: 60 },
      ),
      (program) => {
        const sim = ringGuest([3, 3, 3]);
        for (const ring of sim.rings) writeMany(ring, 3);
        const watch = new Watch(sim);
        const wanted = sim.rings.map(() => 0);
        let clock = 1_000_000_000_100n;
        for (const { cpu, count, poll } of program) {
          for (let i = 0; i < count; i++) {
            // All CPUs share one clock.
            const ring = sim.rings[cpu];
            clock += 3n;
            const delta = Number(clock - (ring.times.at(-1) ?? 0n));
            finish(ring.write({ words: 3, delta }));
            wanted[cpu]++;
          }
          if (poll) watch.step();
        }
        watch.step();
        watch.step(true);
        const totals = watch.follower.totals();
        assert.equal(totals.exact, true);
        assert.equal(totals.late, 0);
        assert.equal(totals.clockSteps, 0);
        const written = wanted.reduce((a, b) => a + b, 0);
        assert.equal(totals.decoded + totals.lost, written);
        assert.equal(totals.decoded, watch.times.length);
        for (let i = 1; i < watch.times.length; i++) {
          assert.ok(watch.times[i] > watch.times[i - 1]);
        }
        watch.seen.forEach((seen) => {
          for (let i = 1; i < seen.length; i++) {
            assert.ok(seen[i] > seen[i - 1]);
          }
        });
      },
    ),
    { numRuns: times(60) },
  );
});

Deno.test("an event is held back while an earlier one may still arrive", () => {
  const sim = ringGuest([2, 2]);
  const watch = new Watch(sim);
  finish(sim.rings[0].write({ words: 3, delta: 1000 }));
  // CPU 1 is writing an earlier event and has not finished it.
  const steps = sim.rings[1].write({ words: 3, delta: 500 });
  for (let i = 0; i < 3; i++) steps.next();
  watch.step();
  watch.step();
  assert.deepEqual(watch.seen, [[], []]);
  finish(steps);
  watch.step();
  watch.step();
  assert.deepEqual(watch.seen, [[0], [0]]);
  assert.equal(watch.follower.totals().late, 0);
});

Deno.test("a buffer that was swapped out is read to its end", () => {
  const sim = ringGuest([3]);
  const { guest, buffer, instance } = sim;
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  writeMany(ring, 50);
  watch.step();
  writeMany(ring, 50);
  // A snapshot: another ring takes its place.
  const other = new SimRing(guest, 0, 3, 2_000_000_000_000n);
  const array = guest.u64(
    guest.at("trace_buffer", buffer.object.gva, "buffers"),
  );
  guest.setU64(array, other.gva);
  for (let i = 0; i < 20; i++) finish(other.write({ words: 3 }));
  const counts = [watch.follower.poll(), watch.follower.poll()];
  assert.equal(counts[0] + counts[1], 70);
  const { decoded, lost, exact } = watch.follower.totals();
  assert.deepEqual([decoded, lost, exact], [120, 0, true]);
  assert.equal(instance.buffer().cpuBuffers()[0].object.gva, other.gva);
});

Deno.test("snapshots of all CPUs and of one: nothing is read twice, everything is accounted for", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          cpu: fc.nat(1),
          count: fc.nat(300),
          then: fc.constantFrom("poll", "swap", "swap CPU", "nothing"),
        }),
        { minLength: 1, maxLength: 60 },
      ),
      (program) => {
        const sim = ringGuest([3, 4]);
        const snapshot = addSnapshot(sim, [4, 3]);
        // An older snapshot, whose events are not new.
        for (const ring of snapshot) writeMany(ring, 30);
        const now = [...sim.rings];
        const rest = [...snapshot];
        const rings = [...sim.rings, ...snapshot];
        const follower = new Follower(sim.instance, LAYOUT_6_1);
        const seen = new Map(rings.map((ring) => [ring, ring.written - 1]));
        const before = rings.reduce((sum, { written }) => sum + written, 0);
        let drained = 0;
        const step = () => {
          follower.poll();
          follower.drain((columns, row, arena) => {
            const stamp = columns.timeAt(row);
            const ring = rings.find(({ times }, i) =>
              i % 2 === columns.cpu[row] &&
              times[arena.words[columns.offset[row] / 4 + 2]] === stamp
            );
            assert.ok(ring, "an event that nobody wrote");
            const sequence = checkEvent(ring, columns, row, arena);
            assert.ok(sequence > (seen.get(ring) ?? -1), "came twice");
            seen.set(ring, sequence);
            drained++;
          }, { all: true });
        };
        // All CPUs share one clock.
        let clock = 2_000_000_000_000n;
        for (const { cpu, count, then } of program) {
          for (let i = 0; i < count; i++) {
            clock += 3n;
            const last = now[cpu].times.at(-1) ?? 1_000_000_000_000n;
            const delta = Number(clock - last);
            finish(now[cpu].write({ words: 3, delta }));
          }
          if (then === "poll") step();
          if (then === "swap") {
            swapBuffers(sim);
            for (const each of [0, 1]) {
              [now[each], rest[each]] = [rest[each], now[each]];
            }
          } else if (then === "swap CPU") {
            swapCpu(sim, cpu);
            [now[cpu], rest[cpu]] = [rest[cpu], now[cpu]];
          }
        }
        step();
        step();
        const written = rings.reduce((sum, { written }) => sum + written, 0);
        const { decoded, lost, exact, resets } = follower.totals();
        assert.equal(exact, true);
        assert.equal(resets, 0);
        assert.equal(decoded, drained);
        assert.equal(decoded + lost, written - before);
      },
    ),
    { numRuns: times(200) },
  );
});

Deno.test("decoded bytes are passed to the sink, so that they can be stored", () => {
  const sim = ringGuest([3, 3]);
  const follower = new Follower(sim.instance, LAYOUT_6_1);
  const kept: [cpu: number, from: number, to: number][] = [];
  follower.keep((cpu, _slot, from, to) => {
    kept.push([cpu.buffer.cpu, from, to]);
  });
  writeMany(sim.rings[1], 3);
  follower.poll();
  writeMany(sim.rings[1], 2);
  follower.poll();
  follower.poll();
  assert.deepEqual(kept, [[1, 0, 48], [1, 48, 80]]);
});
