import assert from "node:assert/strict";
import { PageArena } from "./columns.ts";
import { CpuFollower } from "./cpu_follower.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { type SimRing, SUB_BUFFER } from "./ring_fixture.ts";
import {
  finish,
  ringGuest,
  runningGuest,
  writeMany,
} from "./ring_guest_fixture.ts";
import { EPOCH, Watch, watched } from "./watch_fixture.ts";

Deno.test("a ring that is resized twice while it is listed stays in order", () => {
  // The risk is a list that combines the number of pages from before the first
  // resize with the count of removed pages from after it: the second resize
  // makes both numbers true again, although the ring then has other pages.
  for (let first = 1; first < 16; first++) {
    for (let second = first; second < 64; second++) {
      const { ring, watch, memory } = watched(3);
      ring.grow(2);
      writeMany(ring, 6, 900);
      let reads = 0;
      memory.tick = () => {
        reads++;
        if (reads === first) {
          ring.shrink(3, (bytes) => bytes.fill(0));
          writeMany(ring, 1, 300);
        }
        if (reads === second) {
          ring.grow(3);
          writeMany(ring, 1, 300);
        }
      };
      watch.poll();
      watch.poll();
      memory.tick = () => {};
      writeMany(ring, 3, 900);
      watch.settle();
      const { decoded, lost } = watch.account;
      assert.equal(decoded + lost, ring.written);
      assert.equal(watch.seen.at(-1), ring.written - 1);
    }
  }
});

for (
  const [what, resize] of [
    ["grows", (ring: SimRing) => ring.growing(2)],
    ["shrinks", (ring: SimRing) => ring.shrinking(2, (all) => all.fill(0xff))],
  ] as const
) {
  Deno.test(`a guest may stop anywhere while a ring ${what}`, () => {
    for (let stop = 0, over = false; !over; stop++) {
      const { ring, watch } = watched(5);
      writeMany(ring, 3, 900);
      watch.poll();
      const steps = resize(ring);
      for (let i = 0; i < stop; i++) over ||= steps.next().done === true;
      for (let i = 0; i < 3; i++) watch.poll();
      finish(steps);
      writeMany(ring, 3, 900);
      watch.settle();
      assert.deepEqual(watch.seen, [0, 1, 2, 3, 4, 5]);
      assert.deepEqual([watch.account.lost, watch.account.resets], [0, 0]);
    }
  });
}

Deno.test("following that starts during a resize starts after it", () => {
  for (let after = 1; after < 150; after++) {
    for (const grows of [true, false]) {
      const { sim, memory } = runningGuest([5]);
      const [ring] = sim.rings;
      writeMany(ring, 6, 900);
      const steps = grows
        ? ring.growing(2)
        : ring.shrinking(2, (all) => all.fill(0xff));
      let reads = 0;
      memory.tick = () => {
        if (++reads >= after) steps.next();
      };
      const watch = new Watch(sim);
      finish(steps);
      memory.tick = () => {};
      writeMany(ring, 3);
      watch.settle();
      assert.deepEqual(watch.seen, [6, 7, 8]);
      assert.deepEqual([watch.account.lost, watch.account.resets], [0, 0]);
    }
  }
});

Deno.test("following a guest that stopped during a resize does not wait for ever", () => {
  for (let stop = 0, over = false; !over; stop++) {
    const sim = ringGuest([5]);
    const [ring] = sim.rings;
    writeMany(ring, 6, 900);
    const steps = ring.shrinking(2, (all) => all.fill(0xff));
    for (let i = 0; i < stop; i++) over ||= steps.next().done === true;
    const follower = new CpuFollower(
      sim.buffer.cpuBuffers()[0],
      new PageArena(SUB_BUFFER),
      LAYOUT_6_1,
      EPOCH,
    );
    let now = 0;
    follower.clock = () => now += 10;
    follower.start();
    follower.poll(0);
    finish(steps);
    writeMany(ring, 3);
    for (let i = 0; i < 3; i++) follower.poll(0);
    const { exact, lost } = follower.account;
    assert.deepEqual([exact, lost], [true, 0]);
  }
});

Deno.test("events written while removed pages are being freed are read at once", () => {
  const { ring, watch } = watched(6);
  let seen = 0;
  const meanwhile = function* (): Generator<undefined, void> {
    if (ring.count("pages_removed") === 0) return;
    yield* ring.write({ words: 5 });
    watch.poll();
    seen = watch.seen.length;
    assert.equal(seen, ring.written);
  };
  finish(ring.shrinking(3, (bytes) => bytes.fill(0xff), meanwhile));
  assert.equal(seen, 5);
});

Deno.test("a ring that stays broken is reported, but not immediately", () => {
  const { ring, watch } = watched(5);
  let now = 0;
  watch.follower.clock = () => now;
  writeMany(ring, 3, 900);
  watch.poll();
  // The pages have been unlinked, but `pages` still points to the first of
  // them.
  const steps = ring.shrinking(4, () => {});
  for (let i = 0; i < 3; i++) steps.next();
  watch.poll();
  now += 900;
  watch.poll();
  assert.equal(watch.account.exact, false);
  now += 200;
  assert.throws(() => watch.poll(), /does not close/);
});
