import assert from "node:assert/strict";
import { PageArena } from "./columns.ts";
import { CpuFollower } from "./cpu_follower.ts";
import { EPOCH, Watch } from "./watch_fixture.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { SUB_BUFFER } from "./ring_fixture.ts";
import { finish, ringGuest, writeMany } from "./ring_guest_fixture.ts";

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

Deno.test("the rest of a page is read that was handed back without its stamp", () => {
  const sim = ringGuest([5]);
  const [ring] = sim.rings;
  ring.clearsStamps = true;
  const watch = new Watch(sim);
  for (let i = 0; i < 200; i++) {
    writeMany(ring, 17);
    // The page is read to its end, and handed back.
    ring.consume();
    ring.consume();
    watch.poll();
  }
  watch.settle();
  assert.deepEqual([watch.account.decoded, watch.account.lost], [3400, 0]);
});

Deno.test("of pages without a stamp that were not seen before nothing is read", () => {
  const sim = ringGuest([5]);
  const [ring] = sim.rings;
  ring.clearsStamps = true;
  const watch = new Watch(sim);
  let written = 0;
  for (const pages of [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 30]) {
    for (let i = 0; i < 60 * pages; i++) {
      writeMany(ring, 1, 14);
      ring.consume();
      written++;
    }
    watch.poll();
    assert.equal(watch.account.exact, true);
  }
  const { decoded, lost, torn } = watch.account;
  assert.equal(decoded + lost, written);
  assert.ok(lost > 0 && decoded > 0);
  assert.equal(torn, 0);
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
