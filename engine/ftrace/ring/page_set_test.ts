import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { PageArena } from "./columns.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { PageSet } from "./page_set.ts";
import { SUB_BUFFER } from "./ring_fixture.ts";
import { ringGuest, runningGuest, writeMany } from "./ring_guest_fixture.ts";

function setOf(sim: ReturnType<typeof ringGuest>): PageSet {
  const [cpu] = sim.buffer.cpuBuffers();
  return new PageSet(
    sim.guest.space,
    cpu.pages(),
    LAYOUT_6_1.page,
    SUB_BUFFER,
  );
}

for (const mapped of [true, false]) {
  const how = mapped ? "mapped" : "read";
  const make = (pages: number) =>
    mapped ? ringGuest([pages]) : runningGuest([pages]).sim;

  Deno.test(`${how}: a page counts as changed until it is marked, and when it grows`, () => {
    const sim = make(2);
    writeMany(sim.rings[0], 3);
    const set = setOf(sim);
    assert.equal(set.size, 3);
    const changed = () =>
      Array.from({ length: set.size }, (_, i) => set.changed(i, set.load(i)));
    // First the reader page, then the head page, where writing began.
    assert.deepEqual(changed(), [false, true, false]);
    const header = { ...set.load(1) };
    assert.equal(header.commit, 48);
    set.mark(1, header, 48, 7, 3);
    assert.deepEqual(changed(), [false, false, false]);
    assert.equal(set.same(1, header), true);
    assert.equal(set.heldEvents(), 3);
    writeMany(sim.rings[0], 1);
    assert.deepEqual(changed(), [false, true, false]);
    set.mark(1, set.load(1), 64, 8, 1);
    assert.equal(set.heldEvents(), 4);
    sim.rings[0].reset();
    assert.deepEqual(changed(), [false, false, false]);
    assert.equal(set.heldEvents(), 0);
  });

  Deno.test(`${how}: a copy starts where the last one ended`, () => {
    const sim = make(2);
    const [ring] = sim.rings;
    writeMany(ring, 3);
    const set = setOf(sim);
    const arena = new PageArena(SUB_BUFFER);
    const slot = arena.acquire();
    assert.equal(set.copy(1, arena, slot, 0), true);
    const { data } = LAYOUT_6_1.page;
    const page = sim.buffer.cpuBuffers()[0].commitPage().gpa;
    const there = (to: number) =>
      sim.guest.bytes.slice(page + data, page + data + to);
    assert.deepEqual(
      arena.bytes.slice(slot + data, slot + data + 48),
      there(48),
    );
    // The header is not copied until it is requested.
    assert.equal(arena.words[slot / 4 + 2], 0);
    set.store(arena, slot);
    assert.equal(arena.words[slot / 4 + 2], 48);
    writeMany(ring, 1);
    arena.bytes.fill(0xaa, slot + data, slot + data + 48);
    assert.equal(set.copy(1, arena, slot, 48), true);
    const expected = there(64);
    expected.fill(0xaa, 0, 48);
    assert.deepEqual(
      arena.bytes.slice(slot + data, slot + data + 64),
      expected,
    );
    // The commit shrank: it is another page by now.
    assert.equal(set.copy(1, arena, slot, 68), false);
  });

  Deno.test(`${how}: exchanged pages are found and read from their start`, () => {
    const sim = make(2);
    const [ring] = sim.rings;
    writeMany(ring, 300);
    ring.swap();
    const set = setOf(sim);
    set.mark(0, set.load(0), 4080, 9, 255);
    assert.equal(set.refresh(), 0);
    assert.equal(set.holds(0), true);
    ring.splice();
    assert.equal(set.holds(0), false);
    const arena = new PageArena(SUB_BUFFER);
    assert.equal(set.copy(0, arena, arena.acquire(), 0), false);
    assert.equal(set.refresh(), 1);
    assert.equal(set.holds(0), true);
    assert.equal(set.consumed[0], 0);
    assert.equal(set.events[0], 0);
    assert.equal(set.load(0).commit, 0);
    // Whatever old data the fresh page holds, nobody handed it back.
    assert.equal(set.look(0).handedBack, false);
  });

  Deno.test(`${how}: a new list inherits what is known about the same pages`, () => {
    const sim = make(2);
    const [ring] = sim.rings;
    writeMany(ring, 3);
    const before = setOf(sim);
    before.mark(1, before.load(1), 48, 7, 3);
    ring.grow(2);
    const set = setOf(sim);
    assert.equal(set.size, 5);
    assert.equal(set.inherit(before), 3);
    const index = set.structLo.indexOf(before.structLo[1]);
    assert.equal(set.consumed[index], 48);
    assert.equal(set.lastTs[index], 7);
    assert.equal(set.changed(index, set.load(index)), false);
  });
}

Deno.test("new pages that are older than what has been read are ignored", () => {
  const sim = ringGuest([4]);
  writeMany(sim.rings[0], 3, 900);
  const [cpu] = sim.buffer.cpuBuffers();
  const pages = cpu.pages();
  const { space } = sim.guest;
  const of = (listed: typeof pages) =>
    new PageSet(space, listed, LAYOUT_6_1.page, SUB_BUFFER);
  // Three pages were written to, and the middle one has been read.
  const before = of([pages[2]]);
  const header = before.load(0);
  before.mark(0, header, header.commit, 9, 1);
  const changed = (set: PageSet) =>
    Array.from({ length: set.size }, (_, i) => set.changed(i, set.load(i)));
  const set = of(pages);
  assert.equal(set.inherit(before), 1);
  assert.deepEqual(changed(set), [false, false, false, true, false]);
  assert.equal(set.heldEvents(), 1);
  const anew = of(pages);
  assert.equal(anew.inherit(before, true), 1);
  assert.deepEqual(changed(anew), [false, true, false, true, false]);
});

Deno.test("a page that is rewritten during the copy is not valid", () => {
  const { sim, memory } = runningGuest([2]);
  const [ring] = sim.rings;
  writeMany(ring, 250);
  const set = setOf(sim);
  const arena = new PageArena(SUB_BUFFER);
  const slot = arena.acquire();
  let reads = 0;
  memory.tick = () => {
    if (++reads === 4) writeMany(ring, 600);
  };
  assert.equal(set.copy(1, arena, slot, 0), false);
  // Once it no longer changes, it is.
  assert.equal(set.copy(1, arena, slot, 0), true);
});

Deno.test("a page that grows during the copy is valid up to where it was before", () => {
  const { sim, memory } = runningGuest([2]);
  const [ring] = sim.rings;
  writeMany(ring, 100);
  const set = setOf(sim);
  const arena = new PageArena(SUB_BUFFER);
  let reads = 0;
  memory.tick = () => {
    if (++reads === 3) writeMany(ring, 50);
  };
  assert.equal(set.copy(1, arena, arena.acquire(), 0), true);
  assert.equal(set.header.commit, 1600);
});

Deno.test("impossible commits are not copied", () => {
  const sim = ringGuest([2]);
  writeMany(sim.rings[0], 3);
  const set = setOf(sim);
  const arena = new PageArena(SUB_BUFFER);
  const slot = arena.acquire();
  const { data } = sim.buffer.cpuBuffers()[0].commitPage();
  const copies = (commit: number) => {
    sim.guest.setU32(data + 8n, commit);
    return set.copy(1, arena, slot, 0);
  };
  assert.equal(copies(0), false);
  assert.equal(copies(4081), false);
  assert.equal(copies(4084), false);
  assert.equal(copies(0x3fff_ffff), false);
  assert.equal(copies(4080), true);
  // Flags for readers are not part of the commit.
  assert.equal(copies((0xc000_0000 | 48) >>> 0), true);
  assert.equal(set.header.commit, 48);
});

Deno.test("pages that are not word-aligned are refused", () => {
  const sim = ringGuest([2]);
  const [page] = sim.buffer.cpuBuffers()[0].pages();
  const wrong = { ...page, gpa: page.gpa + 4 };
  assert.throws(
    () => new PageSet(sim.guest.space, [wrong], LAYOUT_6_1.page, SUB_BUFFER),
    KernelError,
  );
});
