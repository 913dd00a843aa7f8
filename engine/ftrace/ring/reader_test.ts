import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { readBuffers, readFirstPage, type Reading } from "./reader.ts";
import {
  addSnapshot,
  checkEvent,
  type RingGuest,
  ringGuest,
  runningGuest,
  writeMany,
} from "./ring_guest_fixture.ts";

/** Sequence numbers of a CPU's events; each event is checked. */
function sequences(sim: RingGuest, reading: Reading, cpu: number): number[] {
  const { columns, arena } = reading;
  const found: number[] = [];
  for (let row = 0; row < columns.length; row++) {
    if (columns.cpu[row] !== cpu) continue;
    found.push(checkEvent(sim.rings[cpu], columns, row, arena));
  }
  return found;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => from + i);

const read = (sim: RingGuest) => readBuffers(sim.instance, LAYOUT_6_1);

Deno.test("reads the content of the buffers, oldest first", () => {
  const sim = ringGuest([3, 4]);
  writeMany(sim.rings[0], 100);
  writeMany(sim.rings[1], 5000, 7);
  const reading = read(sim);
  const overrun = sim.rings[1].count("overrun");
  assert.deepEqual(sequences(sim, reading, 0), range(0, 100));
  assert.deepEqual(sequences(sim, reading, 1), range(overrun, 5000));
  assert.deepEqual(reading.problems, []);
  assert.deepEqual(reading.cpus, [
    {
      cpu: 0,
      events: 100,
      skipped: 0,
      overrun: 0,
      expected: 100,
      lost: 0,
      still: true,
    },
    {
      cpu: 1,
      events: 5000 - overrun,
      skipped: 0,
      overrun,
      expected: 5000 - overrun,
      lost: 0,
      still: true,
    },
  ]);
});

Deno.test("events consumed by readers in the guest are no longer there", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  writeMany(ring, 100);
  ring.consume();
  writeMany(ring, 50);
  const reading = read(sim);
  assert.deepEqual(sequences(sim, reading, 0), range(100, 150));
  assert.equal(reading.cpus[0].lost, 0);
});

Deno.test("events older than the start of the trace are skipped", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  writeMany(ring, 100);
  const { guest, instance } = sim;
  guest.setU64(instance.object.at("array_buffer.time_start"), ring.times[30]);
  const reading = read(sim);
  assert.deepEqual(sequences(sim, reading, 0), range(30, 100));
  assert.equal(reading.cpus[0].skipped, 30);
  assert.equal(reading.cpus[0].lost, 0);
});

Deno.test("of a tracer of latencies, the trace of the longest one is read", () => {
  const sim = ringGuest([3]);
  const { guest, instance } = sim;
  writeMany(sim.rings[0], 10);
  const [longest] = addSnapshot(sim, [3]);
  writeMany(longest, 100);
  // Each buffer has its own start.
  guest.setU64(instance.object.at("max_buffer.time_start"), longest.times[40]);
  assert.equal(read(sim).part.member, "array_buffer");
  const tracer = guest.create("tracer");
  guest.setU64(instance.object.at("current_trace"), tracer);
  assert.equal(read(sim).part.member, "array_buffer");
  guest.setU64(guest.at("tracer", tracer, "print_max"), 1n);
  const reading = read(sim);
  assert.equal(reading.part.member, "max_buffer");
  assert.equal(reading.cpus[0].skipped, 40);
  assert.equal(reading.columns.length, 60);
  const part = instance.current();
  const written = readBuffers(instance, LAYOUT_6_1, { part });
  assert.deepEqual(sequences(sim, written, 0), range(0, 10));
});

Deno.test("a single CPU, and one that does not exist", () => {
  const sim = ringGuest([2, 2]);
  for (const ring of sim.rings) writeMany(ring, 10);
  const reading = readBuffers(sim.instance, LAYOUT_6_1, { cpu: 1 });
  assert.deepEqual(reading.cpus.map(({ cpu }) => cpu), [1]);
  assert.equal(reading.columns.length, 10);
  // The header of a trace counts all CPUs.
  const other = { expected: 10, skipped: 0, overrun: 0 };
  assert.deepEqual(reading.others, [other]);
  assert.equal(read(sim).others, undefined);
  assert.throws(
    () => readBuffers(sim.instance, LAYOUT_6_1, { cpu: 7 }),
    /no CPU 7/,
  );
});

Deno.test("an empty buffer holds nothing", () => {
  const sim = ringGuest([2]);
  assert.equal(read(sim).columns.length, 0);
  assert.equal(readFirstPage(sim.instance, LAYOUT_6_1), 0);
});

Deno.test("the first page that holds events", () => {
  const sim = ringGuest([2, 2]);
  writeMany(sim.rings[1], 5);
  assert.equal(readFirstPage(sim.instance, LAYOUT_6_1), 5);
});

Deno.test("a damaged page is reported, and its good events are kept", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  writeMany(ring, 300);
  const page = sim.buffer.cpuBuffers()[0].chain()[1];
  // The 11th event claims to be longer than the rest of the page.
  sim.guest.view.setUint32(page.gpa + 16 + 160, 0, true);
  sim.guest.view.setUint32(page.gpa + 16 + 164, 0x7fff_fff0, true);
  const reading = read(sim);
  assert.equal(reading.problems.length, 1);
  assert.match(
    reading.problems[0],
    /CPU 0: the page .* does not decode \(truncated at byte 160\); the 10 events before that are kept/,
  );
  // A page holds 255 events; the last 45 of the second page should have been
  // read.
  assert.deepEqual(sequences(sim, reading, 0), [
    ...range(0, 10),
    ...range(255, 300),
  ]);
  assert.equal(reading.cpus[0].lost, 245);
});

Deno.test("pages that the guest reuses meanwhile are missing and counted", () => {
  const { sim, memory } = runningGuest([4]);
  const [ring] = sim.rings;
  writeMany(ring, 1000);
  let reads = 0;
  // While the first pages are being copied.
  memory.tick = () => {
    if (++reads % 50 === 0 && ring.written < 2000) writeMany(ring, 100);
  };
  const reading = read(sim);
  memory.tick = () => {};
  const found = sequences(sim, reading, 0);
  for (let i = 1; i < found.length; i++) assert.ok(found[i] > found[i - 1]);
  const [{ expected, lost, events }] = reading.cpus;
  assert.equal(events, found.length);
  assert.ok(lost >= expected - events);
});

Deno.test("a ring that never stops changing is an error", () => {
  const sim = ringGuest([3]);
  const cpu = sim.buffer.cpuBuffers()[0];
  const { guest } = sim;
  guest.setU64(
    guest.at("ring_buffer_per_cpu", cpu.object.gva, "nr_pages"),
    9,
  );
  assert.throws(() => read(sim), KernelError);
});
