import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { ORDER_TYPES, ringGuest, writeMany } from "./ring_guest_fixture.ts";

/** Addresses of a member of the first CPU's buffer, and of a page. */
function places(sim: ReturnType<typeof ringGuest>) {
  const { guest, rings } = sim;
  return {
    cpu: (name: string) => guest.at("ring_buffer_per_cpu", rings[0].gva, name),
    page: (gva: bigint, name: string) => guest.at("buffer_page", gva, name),
  };
}

Deno.test("a ring is listed from its head, separately from the reader page", () => {
  const sim = ringGuest([4]);
  const [cpu] = sim.buffer.cpuBuffers();
  const first = cpu.ring();
  assert.equal(first.length, 4);
  // A little more than once around: the head moves on.
  writeMany(sim.rings[0], 1300);
  const later = cpu.ring();
  assert.notEqual(later[0], first[0]);
  assert.deepEqual(new Set(later), new Set(first));
  assert.equal(later.indexOf(cpu.commitPage().gva), 3);
  const pages = cpu.pages();
  assert.equal(pages.length, 5);
  assert.equal(pages[0].gva, cpu.readerPage().gva);
  assert.ok(!later.includes(pages[0].gva));
  for (const { data, gpa, pointer } of pages) {
    assert.equal(sim.guest.gpa(data), gpa);
    assert.equal(sim.guest.view.getBigUint64(pointer, true), data);
  }
});

Deno.test("the chain is what an iterator in the guest would see", () => {
  const sim = ringGuest([4]);
  const [ring] = sim.rings;
  const [cpu] = sim.buffer.cpuBuffers();
  writeMany(ring, 300);
  const before = cpu.chain();
  assert.equal(before.length, 3);
  ring.consume();
  writeMany(ring, 100);
  const chain = cpu.chain();
  assert.equal(chain[0].gva, cpu.readerPage().gva);
  assert.equal(chain[0].read, 4080);
  assert.equal(chain.at(-1)?.gva, cpu.commitPage().gva);
  assert.deepEqual(chain.slice(1).map(({ read }) => read), [0]);
});

Deno.test("the chain ends at the reader page while that one is being written", () => {
  const sim = ringGuest([2]);
  const [ring] = sim.rings;
  writeMany(ring, 10);
  ring.consume();
  const [cpu] = sim.buffer.cpuBuffers();
  assert.equal(cpu.commitPage().gva, cpu.readerPage().gva);
  assert.deepEqual(cpu.chain().map(({ read }) => read), [160]);
});

Deno.test("counters", () => {
  const sim = ringGuest([2, 3]);
  const [ring] = sim.rings;
  writeMany(ring, 1000);
  ring.consume();
  const [zero, one] = sim.buffer.cpuBuffers();
  const { guest } = sim;
  guest.setU32(places(sim).cpu("record_disabled"), 0xffff_ffff);
  assert.deepEqual(zero.counters(), {
    entries: 1000,
    overrun: ring.count("overrun"),
    commitOverrun: 0,
    dropped: 0,
    read: ring.count("read"),
    pages: 2,
    recordDisabled: -1,
  });
  assert.equal(one.cpu, 1);
  assert.equal(one.counters().entries, 0);
  assert.equal(one.counters().pages, 3);
});

Deno.test("without a head flag the cached head page is used", () => {
  const sim = ringGuest([3]);
  const { guest } = sim;
  const [cpu] = sim.buffer.cpuBuffers();
  const [a, b, c] = cpu.ring();
  const at = places(sim);
  guest.setU64(at.page(c, "list.next"), a);
  guest.setU64(at.cpu("head_page"), b);
  assert.deepEqual(cpu.ring(), [b, c, a]);
  // A head page outside the ring is ignored.
  guest.setU64(at.cpu("head_page"), 0n);
  assert.equal(cpu.ring().length, 3);
  // While the head moves, the flag marks it as not being the head yet.
  guest.setU64(at.page(a, "list.next"), b | 2n);
  guest.setU64(at.page(b, "list.next"), c | 1n);
  assert.deepEqual(cpu.ring(), [c, a, b]);
});

Deno.test("rings that are damaged or changing are refused", () => {
  const sim = ringGuest([4]);
  const { guest } = sim;
  const [cpu] = sim.buffer.cpuBuffers();
  const [a, b, c, d] = cpu.ring();
  const at = places(sim);
  const refused = (pattern: RegExp) =>
    assert.throws(() => cpu.ring(), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, pattern);
      return true;
    });
  guest.setU64(at.page(b, "list.next"), a);
  refused(/closes after 2 of 4 pages/);
  // A loop that does not contain the start.
  guest.setU64(at.page(b, "list.next"), c);
  guest.setU64(at.page(d, "list.next"), c);
  refused(/does not close/);
  guest.setU64(at.page(d, "list.next"), a | 1n);
  guest.setU64(at.cpu("nr_pages"), 3);
  refused(/CPU 0's ring buffer/);
  // Following the links: the number changes last.
  assert.equal(cpu.ring(true).length, 4);
  guest.setU64(at.cpu("nr_pages"), 0);
  refused(/claims 0 pages/);
  guest.setU64(at.cpu("nr_pages"), 1 << 23);
  refused(/claims 8388608 pages/);
  guest.setU64(at.cpu("nr_pages"), 4);
  guest.setU64(at.cpu("commit_page"), guest.create("buffer_page"));
  assert.throws(() => cpu.chain(), /commit page is not in its ring/);
});

Deno.test("sub-buffers of 4 KiB, and of a larger order", () => {
  assert.equal(ringGuest([2]).buffer.pageSize, 4096);
  const sim = ringGuest([2], { types: ORDER_TYPES });
  const { guest, buffer } = sim;
  const order = guest.at("trace_buffer", buffer.object.gva, "subbuf_order");
  assert.equal(buffer.pageSize, 4096);
  guest.setU32(order, 3);
  assert.equal(buffer.pageSize, 32768);
  guest.setU32(order, 31);
  assert.throws(() => buffer.pageSize, /not possible/);
});

Deno.test("CPUs without a buffer are skipped", () => {
  const sim = ringGuest([2, 2, 2]);
  const { guest, buffer } = sim;
  const at = guest.at("trace_buffer", buffer.object.gva, "buffers");
  guest.setU64(guest.u64(at) + 8n, 0n);
  assert.deepEqual(buffer.cpuBuffers().map(({ cpu }) => cpu), [0, 2]);
  guest.setU64(at, 0n);
  assert.throws(() => buffer.cpuBuffers(), /still booting/);
});

Deno.test("CPUs that share a buffer are refused: 8192 of one ring take too long", () => {
  const sim = ringGuest([2, 2, 2]);
  const { guest, buffer } = sim;
  const array = guest.u64(
    guest.at("trace_buffer", buffer.object.gva, "buffers"),
  );
  guest.setU64(array + 16n, guest.u64(array));
  assert.throws(
    () => buffer.cpuBuffers(),
    (error) =>
      error instanceof KernelError &&
      /ring buffer of CPU 2 is also that of CPU 0/.test(error.message),
  );
});

Deno.test("a ring with more pages than the guest has RAM is refused", () => {
  const sim = ringGuest([4]);
  const { guest } = sim;
  const [cpu] = sim.buffer.cpuBuffers();
  const pages = guest.bytes.length / 4096;
  for (const count of [pages + 1, 1 << 22]) {
    guest.setU64(places(sim).cpu("nr_pages"), count);
    assert.throws(() => cpu.ring(), new RegExp(`claims ${count} pages`));
  }
});
