import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { PageArena } from "./columns.ts";
import { CpuFollower } from "./cpu_follower.ts";
import { EPOCH, Watch } from "./watch_fixture.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { type SimEvent, type SimRing, SUB_BUFFER } from "./ring_fixture.ts";
import {
  finish,
  ringGuest,
  RunningMemory,
  writeMany,
} from "./ring_guest_fixture.ts";

Deno.test("follows what is written, page by page", () => {
  const sim = ringGuest([4]);
  const [ring] = sim.rings;
  writeMany(ring, 700);
  const watch = new Watch(sim);
  watch.poll();
  assert.deepEqual(watch.seen, []);
  for (let i = 0; i < 40; i++) {
    writeMany(ring, 100, 3 + i % 20);
    watch.poll();
    assert.equal(watch.account.exact, true);
  }
  assert.equal(watch.account.lost, 0);
  assert.deepEqual(watch.seen, Array.from({ length: 4000 }, (_, i) => 700 + i));
});

Deno.test("counts exactly what was overwritten too soon", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  writeMany(ring, 5000);
  watch.settle();
  const { decoded, lost, overrun } = watch.account;
  assert.ok(lost > 0);
  assert.equal(decoded + lost, 5000);
  assert.equal(overrun, ring.count("overrun"));
  assert.equal(watch.seen.at(-1), 4999);
  assert.equal(watch.seen[0], lost);
});

Deno.test("begins with what the buffer holds, on request", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  writeMany(ring, 3000);
  ring.consume();
  const held = ring.count("entries") - ring.count("overrun") -
    ring.count("read");
  const watch = new Watch(sim, { fromBuffer: true });
  watch.settle();
  assert.equal(watch.account.lost, 0);
  assert.equal(watch.account.decoded, held);
  assert.equal(watch.seen[0], 3000 - held);
  writeMany(ring, 10);
  watch.settle();
  assert.equal(watch.account.decoded, held + 10);
});

Deno.test("skips events up to a given time", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  writeMany(ring, 100);
  const after = Number(ring.times[39] - EPOCH);
  const watch = new Watch(sim, { fromBuffer: true, after });
  watch.settle();
  assert.equal(watch.seen[0], 40);
  assert.equal(watch.account.lost, 0);
});

Deno.test("readers in the guest do not cause losses", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  for (let i = 0; i < 200; i++) {
    writeMany(ring, 17);
    ring.consume();
    watch.poll();
  }
  watch.settle();
  assert.equal(watch.account.lost, 0);
  assert.equal(watch.seen.length, 3400);
});

Deno.test("pages that readers took, read and handed back between two polls are read", () => {
  const sim = ringGuest([40]);
  const [ring] = sim.rings;
  writeMany(ring, 100);
  const watch = new Watch(sim);
  let written = 0;
  // Entries of all sizes, so that pages end with all kinds of padding.
  for (const words of [3, 7, 20, 28, 29, 31, 100, 300, 1000]) {
    for (let bytes = 0; bytes < 4 * SUB_BUFFER; bytes += 4 * words) {
      writeMany(ring, 1, words);
      ring.consume();
      written++;
    }
    watch.poll();
    assert.equal(watch.account.exact, true);
  }
  assert.ok(ring.count("read") > written / 2);
  assert.deepEqual([watch.account.decoded, watch.account.lost], [written, 0]);
  assert.equal(watch.account.torn, 0);
});

Deno.test("pages that were handed back before are not read again", () => {
  const sim = ringGuest([6]);
  const [ring] = sim.rings;
  for (let i = 0; i < 1000; i++) {
    writeMany(ring, 1);
    ring.consume();
  }
  const watch = new Watch(sim);
  for (let i = 0; i < 100; i++) {
    ring.consume();
    watch.poll();
  }
  assert.deepEqual(watch.seen, []);
  writeMany(ring, 1);
  ring.reset();
  ring.consume();
  writeMany(ring, 3);
  ring.consume();
  watch.settle();
  assert.equal(watch.account.decoded, 3);
  assert.equal(watch.account.lost, 0);
});

Deno.test("pages that splice readers exchange are found again", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  for (let i = 0; i < 200; i++) {
    writeMany(ring, 60);
    watch.poll();
    ring.splice();
  }
  watch.settle();
  assert.equal(watch.account.lost, 0);
  assert.equal(watch.seen.length, 12_000);
});

Deno.test("after the buffer is emptied, following starts again", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  writeMany(ring, 300);
  watch.poll();
  ring.reset();
  writeMany(ring, 20);
  watch.settle();
  assert.equal(watch.account.resets, 1);
  assert.equal(watch.account.lost, 0);
  assert.equal(watch.seen.length, 320);
});

Deno.test("a reset followed by more events than before is noticed", () => {
  const sim = ringGuest([8]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  watch.told = false;
  writeMany(ring, 100);
  watch.poll();
  ring.reset();
  writeMany(ring, 150);
  watch.settle();
  assert.equal(watch.account.lost, 0);
  assert.equal(watch.account.resets, 1);
  assert.equal(watch.account.decoded, 250);
  writeMany(ring, 5);
  watch.settle();
  assert.equal(watch.account.decoded, 255);
  assert.equal(watch.account.lost, 0);
});

Deno.test("events dropped by the guest are distinguished from lost ones", () => {
  const sim = ringGuest([2]);
  const [ring] = sim.rings;
  ring.overwrite = false;
  const watch = new Watch(sim);
  writeMany(ring, 1000);
  watch.settle();
  assert.equal(watch.account.dropped, ring.count("dropped_events"));
  assert.ok(watch.account.dropped > 0);
  assert.equal(watch.account.decoded + watch.account.dropped, 1000);
  assert.equal(watch.account.lost, 0);
});

Deno.test("the ring grows and shrinks under the follower", () => {
  const sim = ringGuest([4]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  writeMany(ring, 500);
  watch.poll();
  ring.grow(3);
  writeMany(ring, 1500);
  watch.poll();
  ring.shrink(4, (bytes) => bytes.fill(0));
  writeMany(ring, 300);
  watch.settle();
  assert.equal(watch.account.lost, 0);
  assert.equal(watch.seen.length, 2300);
});

Deno.test("data that others write to pages that left the ring is not taken for events", () => {
  const scribbles: ((bytes: Uint8Array) => void)[] = [
    (bytes) => bytes.fill(0xff),
    (bytes) => crypto.getRandomValues(bytes),
    // A plausible page with a time stamp in the future.
    (bytes) => {
      bytes.fill(0);
      new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        .setBigUint64(0, EPOCH * 2n, true);
      bytes.set([200, 0, 0, 0], 8);
      for (let at = 16; at < 216; at += 4) bytes.set([3, 0, 0, 0], at);
    },
    // And one with a time stamp in the past.
    (bytes) => {
      bytes.fill(0);
      bytes.set([200, 0, 0, 0], 8);
      for (let at = 16; at < 216; at += 4) bytes.set([3, 0, 0, 0], at);
    },
  ];
  for (const scribble of scribbles) {
    const sim = ringGuest([6]);
    const [ring] = sim.rings;
    const watch = new Watch(sim);
    writeMany(ring, 1100);
    watch.poll();
    writeMany(ring, 100);
    ring.shrink(3, scribble);
    writeMany(ring, 100);
    watch.settle();
    const { decoded, lost } = watch.account;
    assert.equal(decoded + lost, 1300);
  }
});

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
      const memories: RunningMemory[] = [];
      const sim = ringGuest([100], {
        memory: (bytes) => {
          const memory = new RunningMemory(bytes);
          memories.push(memory);
          return memory;
        },
      });
      const [ring] = sim.rings;
      const random = numbers(it.seed);
      const writer = life(
        ring,
        {
          ...it,
          readers: 0,
          resets: 0,
          resizes: 0,
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
      memories[0].tick = () => {
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
      const memories: RunningMemory[] = [];
      const sim = ringGuest([it.pages], {
        memory: (bytes) => {
          const memory = new RunningMemory(bytes);
          memories.push(memory);
          return memory;
        },
      });
      const random = numbers(it.seed);
      const watch = new Watch(sim);
      const step = life(sim.rings[0], it, random, watch.polls);
      const rare = 1 + random() % 8;
      let running = true;
      memories[0].tick = () => {
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
      const memories: RunningMemory[] = [];
      const sim = ringGuest([6], {
        memory: (bytes) => {
          const memory = new RunningMemory(bytes);
          memories.push(memory);
          return memory;
        },
      });
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
      memories[0].tick = () => {
        if (running && random() % 64 === 0) running = step();
      };
      const watch = new Watch(sim);
      memories[0].tick = () => {};
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

Deno.test("an event that is still being written is not handed out as complete", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  const steps = ring.write({ words: 5 });
  for (let i = 0; i < 3; i++) steps.next();
  watch.follower.poll(500);
  assert.equal(watch.account.decoded, 0);
  assert.ok(watch.follower.queue.complete < 500);
  finish(steps);
  watch.follower.poll(500);
  assert.equal(watch.account.decoded, 1);
  assert.equal(watch.follower.queue.complete, 500);
});

Deno.test("an interrupt's event may be uncommitted while nobody is writing", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  const steps = ring.write({ words: 5, late: { words: 3 } });
  while (!(ring.count("entries") === 2 && ring.count("committing") === 0)) {
    assert.notEqual(steps.next().done, true);
  }
  watch.follower.poll(500);
  assert.equal(watch.account.exact, false);
  assert.deepEqual([watch.account.decoded, watch.account.lost], [1, 0]);
  assert.ok(watch.follower.queue.complete < 500);
  finish(steps);
  watch.follower.poll(500);
  assert.equal(watch.account.exact, true);
  assert.deepEqual([watch.account.decoded, watch.account.lost], [2, 0]);
  assert.equal(watch.account.resets, 0);
  assert.equal(watch.follower.queue.complete, 500);
});

/** A clock that advances by itself, so that nobody has to wait. */
function ticking(ms: number): () => number {
  let now = 0;
  return () => now += ms;
}

Deno.test("a guest that is stopped in the middle of a write is still followed", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  writeMany(ring, 40);
  // Before it raises its count, before its commit, and after it.
  for (let before = 1; before < 7; before++) {
    const steps = ring.write({ words: 5, nested: { words: 3 } });
    for (let i = 0; i < before; i++) steps.next();
    const follower = new CpuFollower(
      sim.buffer.cpuBuffers()[0],
      new PageArena(SUB_BUFFER),
      LAYOUT_6_1,
      EPOCH,
    );
    follower.clock = ticking(10);
    follower.start();
    follower.poll(0);
    assert.deepEqual([follower.account.decoded, follower.account.exact], [
      0,
      ring.count("committing") === 0,
    ]);
    // The guest continues.
    finish(steps);
    writeMany(ring, 10);
    follower.poll(0);
    follower.poll(0);
    const { decoded, lost, exact, resets } = follower.account;
    assert.ok(decoded >= 10 && decoded <= 12, `${decoded} decoded`);
    assert.deepEqual([lost, exact, resets], [0, true, 0]);
  }
});

Deno.test("a write that never ends does not hold events back forever", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const watch = new Watch(sim);
  let now = 0;
  watch.follower.clock = () => now;
  const steps = ring.write({ words: 5 });
  for (let i = 0; i < 3; i++) steps.next();
  watch.follower.poll(500);
  now += 900;
  watch.follower.poll(600);
  assert.ok(watch.follower.queue.complete < 500);
  now += 200;
  watch.follower.poll(700);
  assert.equal(watch.follower.queue.complete, 700);
  finish(steps);
  watch.follower.poll(800);
  assert.deepEqual([watch.account.decoded, watch.account.exact], [1, true]);
});
