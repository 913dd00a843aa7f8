/**
 * Buffers that are read some pages at a time, compared with buffers that are
 * read at once.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { writeBuffers } from "../../output/write_buffers.ts";
import { BARE_GUEST, NotingWriter } from "../../output/writer_fixture.ts";
import { BufferStream, isStopped } from "./buffer_stream.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { readBuffers, type ReadOptions } from "./reader.ts";
import { finish, type RingGuest, ringGuest } from "./ring_guest_fixture.ts";

/** What a writer is told, without where runs end. */
function noted(reading: ReturnType<typeof readBuffers> | BufferStream) {
  const writer = new NotingWriter();
  const totals = writeBuffers(reading, BARE_GUEST, writer);
  const { cpus, problems } = reading;
  const losses = writer.notes.filter((note) =>
    /^(?:begin|lost|end)/.test(note)
  );
  return { rows: writer.rows, losses, totals, cpus: [...cpus], problems };
}

function compare(sim: RingGuest, options: ReadOptions = {}) {
  const whole = readBuffers(sim.instance, LAYOUT_6_1, options);
  const stream = new BufferStream(sim.instance, LAYOUT_6_1, options);
  assert.deepEqual(noted(stream), noted(whole));
}

const event = fc.record({
  cpu: fc.nat(2),
  words: fc.oneof(fc.integer({ min: 3, max: 12 }), fc.constant(700)),
  delta: fc.oneof(fc.nat(3), fc.nat(2 ** 30)),
  count: fc.oneof(fc.constant(1), fc.nat(400)),
});
const trace = fc.record({
  pages: fc.tuple(
    fc.integer({ min: 2, max: 40 }),
    fc.integer({ min: 2, max: 5 }),
    fc.constant(2),
  ),
  events: fc.array(event, { maxLength: 40 }),
  consumed: fc.nat(3),
  start: fc.nat(100),
});

Deno.test("the same events, losses and counts, some pages at a time", () => {
  fc.assert(
    fc.property(trace, ({ pages, events, consumed, start }) => {
      const sim = ringGuest(pages, { size: 1 << 20 });
      for (const { cpu, count, words, delta } of events) {
        for (let i = 0; i < count; i++) {
          finish(sim.rings[cpu].write({ words, delta }));
        }
      }
      for (let i = 0; i < consumed; i++) sim.rings[0].consume();
      const written = sim.rings[0].times;
      const at = Math.floor(written.length * start / 100);
      if (start % 3 === 0 && at < written.length) {
        const { guest, instance } = sim;
        guest.setU64(
          guest.at(
            "trace_array",
            instance.object.gva,
            "array_buffer.time_start",
          ),
          written[at],
        );
      }
      compare(sim);
      compare(sim, { cpu: 1 });
    }),
    { numRuns: times(60), seed: 1 },
  );
});

Deno.test("whatever the writer takes ahead of time", () => {
  const sim = ringGuest([30, 30], { size: 1 << 20 });
  for (let i = 0; i < 6000; i++) {
    const ring = sim.rings[i % 7 < 3 ? 0 : 1];
    finish(ring.write({ words: 3 + i % 9, delta: i % 5 }));
  }
  const take = (reading: ReturnType<typeof readBuffers> | BufferStream) => {
    // Runs differ in length, so this asks for what does not depend on them.
    const rows: string[] = [];
    const writer = new NotingWriter();
    writer.events = (run) => {
      const { columns, from, to } = run;
      for (let row = from; row < to; row++) {
        rows.push(`${columns.cpu[row]}@${columns.ts[row]}`);
        const next = row + 1 < to ? row + 1 : run.next;
        if (next < 0 || columns.ts[next] % 3 !== 0) continue;
        rows.push(`took ${columns.cpu[next]}@${columns.ts[next]}`);
        if (row + 1 < to) row++;
        else run.takeNext();
      }
    };
    const { events } = writeBuffers(reading, BARE_GUEST, writer);
    return { rows, events };
  };
  assert.deepEqual(
    take(new BufferStream(sim.instance, LAYOUT_6_1)),
    take(readBuffers(sim.instance, LAYOUT_6_1)),
  );
});

Deno.test("a page that was written to meanwhile is a problem, and its events are lost", () => {
  const sim = ringGuest([40], { size: 1 << 20 });
  const [ring] = sim.rings;
  for (let i = 0; i < 10_000; i++) finish(ring.write({ words: 5 }));
  const stream = new BufferStream(sim.instance, LAYOUT_6_1);
  const writer = new NotingWriter();
  const pass = writer.events.bind(writer);
  writer.events = (run) => {
    // The guest records again, over pages that are still to come.
    if (writer.rows.length === 0) {
      for (let i = 0; i < 5000; i++) finish(ring.write({ words: 5 }));
    }
    pass(run);
  };
  const { lost } = writeBuffers(stream, BARE_GUEST, writer);
  assert.ok(stream.problems.length > 0);
  assert.match(stream.problems[0], /^CPU 0: the page at GPA .* was reused/);
  assert.equal(stream.cpus[0].still, false);
  // What was passed on is in order, and nothing is passed on twice.
  const passed = writer.rows.map((row) => Number(row.split("@")[1]));
  for (let i = 1; i < passed.length; i++) assert.ok(passed[i - 1] < passed[i]);
  assert.equal(stream.cpus[0].lost, stream.cpus[0].expected - passed.length);
  assert.ok(lost >= 0);
});

Deno.test("whether a buffer is stopped is what the kernel says", () => {
  const sim = ringGuest([2]);
  assert.equal(isStopped(sim.buffer), false);
  const at = sim.guest.at(
    "trace_buffer",
    sim.buffer.object.gva,
    "record_disabled",
  );
  sim.guest.setU32(at, 1);
  assert.equal(isStopped(sim.buffer), true);
});
