/**
 * Properties of the follower: whatever a guest does to its ring, and whenever
 * it is polled, each event is decoded once or counted as lost.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { Watch } from "./watch_fixture.ts";
import type { SimEvent, SimRing } from "./ring_fixture.ts";
import { ringGuest, runningGuest } from "./ring_guest_fixture.ts";

/** A reproducible sequence of numbers below 2^32. */
function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const sizes = fc.oneof(
  fc.integer({ min: 3, max: 30 }),
  fc.integer({ min: 3, max: 1000 }),
);
const deltas = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.constantFrom((2 ** 27) - 1, 2 ** 27, 2 ** 30),
);
const event: fc.Arbitrary<SimEvent> = fc.record({
  words: sizes,
  delta: deltas,
  discard: fc.boolean(),
}).chain(({ words, delta, discard }) =>
  fc.record({
    words: fc.constant(words),
    delta: fc.constant(delta),
    // Every fourth event is discarded, so that most are there to be found.
    discard: fc.integer({ min: 0, max: 7 }).map((n) => discard && n === 0),
    nested: fc.option(
      fc.record({ words: sizes, delta: fc.integer({ min: 1, max: 50 }) }),
      { nil: undefined, freq: 4 },
    ),
    late: fc.option(
      fc.record({ words: sizes, delta: fc.integer({ min: 1, max: 50 }) }),
      { nil: undefined, freq: 4 },
    ),
  })
);

const run = fc.record({
  pages: fc.integer({ min: 2, max: 6 }),
  events: fc.array(event, { minLength: 1, maxLength: 150 }),
  /** How often readers in the guest interfere. */
  readers: fc.constantFrom(0, 0, 4, 40),
  splices: fc.boolean(),
  /** How often, between two events, the buffer is resized or emptied. */
  resizes: fc.constantFrom(0, 0, 2, 5),
  resets: fc.constantFrom(0, 0, 10),
  /** Whether pages that readers hand back lose their stamps. */
  clears: fc.boolean(),
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
});

type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;

/** Overwrites memory that has been freed, as its next user would. */
function scribble(random: () => number): (bytes: Uint8Array) => void {
  // The header may stay unchanged.
  return (bytes) => {
    for (let i = random() % 32; i < bytes.length; i++) bytes[i] = random();
  };
}

/**
 * Resizes the ring to at most 12 pages, and reuses the memory of the pages that
 * leave it. Interrupts write meanwhile.
 */
function* resize(
  ring: SimRing,
  random: () => number,
): Generator<undefined, void> {
  const pages = ring.count("nr_pages");
  const by = 1 + random() % 3;
  const meanwhile = function* (): Generator<undefined, void> {
    yield;
    while (random() % 3 === 0) yield* ring.write({ words: 3 + random() % 500 });
  };
  if (random() % 2 === 0) {
    if (pages + by <= 12 && ring.guest.free > 64 << 10) {
      yield* ring.growing(by, meanwhile);
    }
  } else if (pages - by >= 2) {
    yield* ring.shrinking(by, scribble(random), meanwhile);
  }
}

/**
 * The guest's actions as single steps; `false` when they are over.
 *
 * @param polls how often the follower has polled. Between two polls, the ring
 * is either resized or emptied, but not both: a reset clears the count of
 * removed pages, and nothing would show that pages were removed and others
 * added.
 */
function life(
  ring: SimRing,
  it: Run,
  random: () => number,
  polls: { readonly begun: number; readonly over: number },
) {
  const { events, readers, splices } = it;
  let [resized, emptied] = [-1, -1];
  ring.clearsStamps = it.clears;
  const steps = (function* () {
    for (const each of events) {
      yield* ring.write(each);
      const resizing = it.resizes > 0 && random() % it.resizes === 0;
      if (resizing && emptied < polls.over) {
        resized = polls.begun;
        yield* resize(ring, random);
        resized = polls.begun;
      }
      const emptying = it.resets > 0 && random() % it.resets === 0;
      if (emptying && resized < polls.over) {
        emptied = polls.begun;
        yield* ring.resetting();
        emptied = polls.begun;
      }
    }
  })();
  let over = false;
  return () => {
    if (over) return false;
    if (readers > 0 && random() % readers === 0) {
      if (splices && random() % 2 === 0) ring.splice(scribble(random));
      else ring.consume();
      return true;
    }
    over = steps.next().done === true;
    return !over;
  };
}

Deno.test("readers that hand pages back lose nothing while the ring has room", () => {
  fc.assert(
    fc.property(run, (it) => {
      const { sim, memory } = runningGuest([100]);
      const [ring] = sim.rings;
      const random = numbers(it.seed);
      const writer = life(
        ring,
        {
          ...it,
          readers: 0,
          resets: 0,
          resizes: 0,
          // Without its stamp, a page cannot be read afterwards.
          clears: false,
        },
        random,
        { begun: 0, over: 0 },
      );
      const step = () => {
        if (random() % (1 + it.readers) === 0) ring.consume();
        return writer();
      };
      const watch = new Watch(sim);
      const rare = 1 + random() % 8;
      let running = true;
      memory.tick = () => {
        while (running && random() % rare === 0) running = step();
      };
      while (running) {
        for (let i = random() % 1000; i > 0 && running; i--) running = step();
        watch.poll();
      }
      watch.settle();
      assert.deepEqual([watch.account.lost, watch.account.resets], [0, 0]);
      assert.equal(watch.account.decoded, ring.written);
    }),
    { numRuns: times(100) },
  );
});

/** Checks the totals at the end. */
function checkSums({ account }: Watch, ring: SimRing, it: Run): void {
  const { decoded, lost } = account;
  assert.ok(lost >= 0, `${lost} lost`);
  if (it.resets === 0) assert.equal(decoded + lost, ring.written);
  // What a reset discards unseen is not counted anywhere.
  else if (account.blindResets === 0) {
    assert.ok(decoded + lost <= ring.written, "more than was written");
  } else {
    // Events written after a reset, read before the reset was noticed, and
    // overwritten by the time it was, also count as lost: nothing distinguishes
    // them from events before it.
    assert.ok(decoded <= ring.written, "more than was written");
    assert.ok(lost <= ring.written, "more lost than was written");
  }
}

Deno.test("polled between any two steps: nothing is read twice, everything is accounted for", () => {
  fc.assert(
    fc.property(run, (it) => {
      const sim = ringGuest([it.pages]);
      const random = numbers(it.seed);
      const watch = new Watch(sim);
      const step = life(sim.rings[0], it, random, watch.polls);
      const rare = 1 + random() % 200;
      while (step()) if (random() % rare === 0) watch.poll();
      watch.settle();
      checkSums(watch, sim.rings[0], it);
    }),
    { numRuns: times(300) },
  );
});

Deno.test("the guest writes while it is read: nothing is read twice, everything is accounted for", () => {
  fc.assert(
    fc.property(run, (it) => {
      const { sim, memory } = runningGuest([it.pages]);
      const random = numbers(it.seed);
      const watch = new Watch(sim);
      const step = life(sim.rings[0], it, random, watch.polls);
      const rare = 1 + random() % 8;
      let running = true;
      memory.tick = () => {
        while (running && random() % rare === 0) running = step();
      };
      for (let polls = 0; running && polls < 2000; polls++) {
        for (let i = random() % 100; i > 0 && running; i--) running = step();
        watch.poll();
      }
      assert.equal(running, false);
      watch.settle();
      checkSums(watch, sim.rings[0], it);
    }),
    { numRuns: times(300) },
  );
});

Deno.test("starts while the guest writes, and misses nothing from then on", () => {
  fc.assert(
    fc.property(run, (it) => {
      const { sim, memory } = runningGuest([6]);
      const random = numbers(it.seed);
      const step = life(
        sim.rings[0],
        {
          ...it,
          readers: 0,
          resets: 0,
          resizes: 0,
        },
        random,
        { begun: 0, over: 0 },
      );
      let running = true;
      memory.tick = () => {
        if (running && random() % 64 === 0) running = step();
      };
      const watch = new Watch(sim);
      memory.tick = () => {};
      while (running) {
        for (let i = 0; i < 5 && running; i++) running = step();
        watch.poll();
      }
      watch.settle();
      assert.equal(watch.account.lost, 0);
      const { written } = sim.rings[0];
      const first = watch.seen[0] ?? written;
      assert.equal(watch.seen.length, written - first);
    }),
    { numRuns: times(100) },
  );
});
