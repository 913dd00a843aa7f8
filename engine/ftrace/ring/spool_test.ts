import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { XftraceError } from "../../base/errors.ts";
import { drainQueues, handOut } from "./event_queue.ts";
import { Follower } from "./follower.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import type { SimRing } from "./ring_fixture.ts";
import {
  addSnapshot,
  checkEvent,
  finish,
  type RingGuest,
  ringGuest,
  swapBuffers,
  writeMany,
} from "./ring_guest_fixture.ts";
import { SpoolReader } from "./spool.ts";
import { SpoolWriter } from "./spool_writer.ts";

/** A temporary folder that is removed at the end. */
function folder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "xftrace-spool-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Follows a guest during `life`, and stores what it reads. */
function record(
  path: string,
  sim: RingGuest,
  life: ((writer: SpoolWriter) => void)[],
): { polls: number[]; header: ConstructorParameters<typeof SpoolWriter>[1] } {
  const follower = new Follower(sim.instance, LAYOUT_6_1);
  const header = {
    target: "qemu:test",
    release: "6.1.0-fixture",
    buildId: "0123abcd",
    epoch: String(follower.epoch),
    pageSize: 4096,
    started: "2026-01-02T03:04:05.678Z",
  };
  using writer = new SpoolWriter(path, header, LAYOUT_6_1);
  follower.keep((...segment) => writer.segment(...segment));
  const lost = new Map<number, number>();
  const polls: number[] = [];
  for (const step of life) {
    step(writer);
    follower.poll();
    for (const { cpu, lost: now } of follower.accounts()) {
      const before = lost.get(cpu) ?? 0;
      if (now > before) writer.lost(cpu, now - before);
      lost.set(cpu, now);
    }
    follower.drain(() => {}, { all: true });
    const totals = follower.totals();
    writer.poll(follower.complete, totals.lost, totals.dropped);
    polls.push(writer.size);
  }
  return { polls, header };
}

interface ReadBack {
  /** Sequence numbers per CPU. */
  readonly events: number[][];
  /** Entries of the form `CPU: count before event`. */
  readonly lost: string[];
  readonly polls: number;
  readonly sums: readonly [lost: number, dropped: number];
  readonly truncated: boolean;
  readonly comms: ReadonlyMap<number, string>;
}

/** Reads a spool file to its end and checks all rows. */
function readBack(path: string, sim: RingGuest): ReadBack {
  using spool = new SpoolReader(path, LAYOUT_6_1);
  const events: number[][] = sim.rings.map(() => []);
  const lost: string[] = [];
  let polls = 0;
  const take = () => {
    for (const { columns } of spool.queues) {
      for (const { row, cpu, count } of columns.lost) {
        lost.push(`${cpu}: ${count} before ${events[cpu].length + row}`);
      }
    }
    drainQueues(
      spool.queues,
      (columns, row, arena) => {
        const cpu = columns.cpu[row];
        events[cpu].push(checkEvent(sim.rings[cpu], columns, row, arena));
      },
      handOut(),
      { all: true },
    );
  };
  while (spool.poll()) {
    polls++;
    take();
  }
  return {
    events,
    lost,
    polls,
    sums: [spool.lost, spool.dropped],
    truncated: spool.truncated,
    comms: spool.comms,
  };
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => from + i);

Deno.test("what was written is read back, row by row", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([3, 3]);
  const [zero, one] = sim.rings;
  const { polls, header } = record(path, sim, [
    () => writeMany(zero, 20),
    (writer) => {
      writeMany(zero, 400, 5);
      writeMany(one, 3);
      writer.comm(100, "bash");
      writer.comm(101, "a name of more than fifteen");
      writer.comm(-1, "");
    },
    () => finish(one.write({ words: 900, delta: 2 ** 31 })),
    () => {},
    (writer) => {
      writer.comm(100, "sleep");
      writer.comm(101, "a name of more than fifteen");
      writeMany(zero, 1);
    },
  ]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(path).size, polls.at(-1));
  const back = readBack(path, sim);
  assert.deepEqual(back.events, [range(0, 421), range(0, 4)]);
  assert.deepEqual(back.sums, [0, 0]);
  assert.equal(back.polls, 5);
  assert.equal(back.truncated, false);
  assert.deepEqual([...back.comms], [
    [100, "sleep"],
    [101, "a name of more "],
    [-1, ""],
  ]);
  using again = new SpoolReader(path, LAYOUT_6_1);
  assert.deepEqual(again.header, header);
});

Deno.test("losses are read back at their places", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([2, 2]);
  const [zero, one] = sim.rings;
  record(path, sim, [
    () => writeMany(zero, 20),
    () => {
      writeMany(zero, 2000);
      writeMany(one, 3);
    },
    () => writeMany(zero, 5),
  ]);
  const back = readBack(path, sim);
  const lost = 2025 - back.events[0].length;
  assert.ok(lost > 0);
  assert.deepEqual(back.lost, [`0: ${lost} before 20`]);
  assert.deepEqual(back.sums, [lost, 0]);
  assert.deepEqual(back.events[0], [
    ...range(0, 20),
    ...range(20 + lost, 2025),
  ]);
  assert.deepEqual(back.events[1], [0, 1, 2]);
});

Deno.test("a spool file that is larger than any buffer", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([8]);
  const [ring] = sim.rings;
  // Small records of 900 words: 5.4 MB in total.
  record(
    path,
    sim,
    range(0, 300).map(() => () => writeMany(ring, 5, 900)),
  );
  assert.ok(statSync(path).size > 5e6);
  const back = readBack(path, sim);
  assert.deepEqual(back.events, [range(0, 1500)]);
  assert.equal(back.polls, 300);
});

Deno.test("events swapped by snapshots between two polls are read back in order", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([3]);
  const [snapshot] = addSnapshot(sim, [3]);
  const [ring] = sim.rings;
  // Both share one clock.
  let clock = 2_000_000_000_000n;
  const write = (to: SimRing, count: number) => {
    for (let i = 0; i < count; i++) {
      clock += 7n;
      const last = to.times.at(-1) ?? 1_000_000_000_000n;
      finish(to.write({ words: 3, delta: Number(clock - last) }));
    }
  };
  record(path, sim, [
    () => write(ring, 20),
    () => {
      write(ring, 20);
      swapBuffers(sim);
      write(snapshot, 20);
      swapBuffers(sim);
      write(ring, 20);
    },
    () => {
      swapBuffers(sim);
      write(snapshot, 20);
    },
  ]);
  using spool = new SpoolReader(path, LAYOUT_6_1);
  const times: bigint[] = [];
  const handed = handOut();
  while (spool.poll()) {
    drainQueues(spool.queues, (columns, row) => {
      times.push(columns.timeAt(row));
    }, handed);
  }
  drainQueues(
    spool.queues,
    (columns, row) => {
      times.push(columns.timeAt(row));
    },
    handed,
    { all: true },
  );
  const wanted = [...ring.times, ...snapshot.times]
    .sort((a, b) => Number(a - b));
  assert.deepEqual(times, wanted);
  assert.equal(handed.clockSteps + handed.late, 0);
});

Deno.test("cut at any byte: complete polls are kept, and nothing throws", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([2, 2]);
  const [zero, one] = sim.rings;
  const written: number[][] = [];
  const note = (work: () => void) => () => {
    work();
    written.push(sim.rings.map((ring) => ring.written));
  };
  const { polls } = record(path, sim, [
    note(() => writeMany(zero, 3)),
    note(() => {
      writeMany(zero, 2);
      writeMany(one, 4);
    }),
    note(() => writeMany(one, 1)),
  ]);
  const whole = readFileSync(path);
  // After the header, where the first record starts.
  const headerEnd = (12 + whole.readUInt32LE(8) + 7) & ~7;
  const cut = join(at.path, "cut");
  for (let size = 0; size < whole.length; size++) {
    writeFileSync(cut, whole.subarray(0, size));
    if (size < headerEnd) {
      assert.throws(() => new SpoolReader(cut, LAYOUT_6_1), XftraceError);
      continue;
    }
    const back = readBack(cut, sim);
    const kept = polls.filter((end) => end <= size).length;
    assert.equal(back.polls, kept, `cut at ${size}`);
    const counts = back.events.map((events) => events.length);
    assert.deepEqual(counts, kept === 0 ? [0, 0] : written[kept - 1]);
    // A cut between two polls leaves no partial record.
    const clean = size === headerEnd || polls.includes(size);
    if (clean) assert.equal(back.truncated, false, `cut at ${size}`);
  }
});

Deno.test("a file that is not a spool file is refused in one sentence", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const refused = (bytes: string | Uint8Array, pattern: RegExp) => {
    writeFileSync(path, bytes);
    assert.throws(() => new SpoolReader(path, LAYOUT_6_1), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.match(error.message, pattern);
      return true;
    });
  };
  refused("", /is not a collector's file/);
  refused("XFSPOOL2xxxxxxxxxxxxxxxxxxx", /is not a collector's file/);
  const head = (json: string, length = json.length) => {
    const bytes = Buffer.alloc((12 + json.length + 7) & ~7);
    bytes.write("XFSPOOL1");
    bytes.writeUInt32LE(length, 8);
    bytes.write(json, 12);
    return bytes;
  };
  refused(head("{}", 0xffff_ffff), /is not a collector's file/);
  refused(head("{}"), /has a damaged header/);
  refused(head("{{{"), /has a damaged header/);
});

Deno.test("damaged records give an error that says so, or good rows, never more", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([2]);
  record(path, sim, [
    () => writeMany(sim.rings[0], 3),
    () => writeMany(sim.rings[0], 3),
  ]);
  const whole = readFileSync(path);
  const headerEnd = (12 + whole.readUInt32LE(8) + 7) & ~7;
  const damaged = join(at.path, "damaged");
  for (let at = headerEnd; at < whole.length; at++) {
    for (const value of [0xff, whole[at] ^ 1]) {
      const bytes = Buffer.from(whole);
      bytes[at] = value;
      writeFileSync(damaged, bytes);
      using spool = new SpoolReader(damaged, LAYOUT_6_1);
      try {
        for (let polls = 0; spool.poll(); polls++) assert.ok(polls < 10);
        const rows = spool.queues.reduce((sum, { length }) => sum + length, 0);
        assert.ok(rows <= 60, `${rows} rows`);
      } catch (error) {
        assert.ok(error instanceof XftraceError, `byte ${at}: ${error}`);
        assert.match(error.message, /file is damaged/);
      }
    }
  }
});

Deno.test("records of a later version are skipped", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([2]);
  record(path, sim, [() => writeMany(sim.rings[0], 3)]);
  const whole = readFileSync(path);
  const headerEnd = (12 + whole.readUInt32LE(8) + 7) & ~7;
  const later = Buffer.alloc(8 + 16);
  later.writeUInt32LE(99, 0);
  later.writeUInt32LE(13, 4);
  writeFileSync(
    path,
    [
      whole.subarray(0, headerEnd),
      later,
      whole.subarray(headerEnd),
    ].reduce((all, part) => Buffer.concat([all, part])),
  );
  assert.deepEqual(readBack(path, sim).events, [[0, 1, 2]]);
});

Deno.test("a file that claims rings without end is refused, and soon", () => {
  using at = folder();
  const path = join(at.path, "spool");
  const sim = ringGuest([2]);
  record(path, sim, [() => writeMany(sim.rings[0], 3)]);
  const whole = readFileSync(path);
  const header = whole.subarray(0, (12 + whole.readUInt32LE(8) + 7) & ~7);
  const lost = (cpu: number) => {
    const one = Buffer.alloc(8 + 16);
    one.writeUInt32LE(4, 0);
    one.writeUInt32LE(16, 4);
    one.writeUInt32LE(cpu, 8);
    return one;
  };
  const segment = (cpu: number, ring: number, unit: number) => {
    const one = Buffer.alloc(8 + 24);
    one.writeUInt32LE(1, 0);
    one.writeUInt32LE(24, 4);
    one.writeUInt32LE(cpu, 8);
    one.writeUInt16LE(ring, 20);
    one.writeUInt16LE(unit, 22);
    return one;
  };
  const many = (count: number, one: (i: number) => Buffer) =>
    Buffer.concat(Array.from({ length: count }, (_, i) => one(i)));
  const files = [
    many(70_000, lost),
    many(1, () => lost(0xffff_ffff)),
    many(65_536, (i) => segment(0, i, 1)),
    // Pages of every size: an arena for each.
    many(1024, (i) => segment(0, i, i + 1)),
  ];
  for (const records of files) {
    writeFileSync(path, Buffer.concat([header, records]));
    const from = performance.now();
    using spool = new SpoolReader(path, LAYOUT_6_1);
    assert.throws(
      () => {
        while (spool.poll());
      },
      (error) =>
        error instanceof XftraceError && /is damaged/.test(error.message),
    );
    assert.ok(performance.now() - from < 5000);
  }
});
