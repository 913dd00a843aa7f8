import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Follower } from "../ftrace/ring/follower.ts";
import { LAYOUT_6_1 } from "../ftrace/ring/layout_fixture.ts";
import { ringGuest, writeMany } from "../ftrace/ring/ring_guest_fixture.ts";
import { SpoolReader } from "../ftrace/ring/spool.ts";
import { SpoolWriter } from "../ftrace/ring/spool_writer.ts";
import { writeSpool, writeTraceGraph } from "./write_spool.ts";
import { BARE_GUEST, NotingWriter } from "./writer_fixture.ts";

/** A collector's file with three events, a loss of 12, and two more events. */
function spooled(): { path: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "xftrace-spool-"));
  const path = join(folder, "spool");
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const follower = new Follower(sim.instance, LAYOUT_6_1);
  using writer = new SpoolWriter(path, {
    target: "qemu:test",
    release: "6.1.0-fixture",
    epoch: String(follower.epoch),
    pageSize: 4096,
    started: "2026-01-02T03:04:05.678Z",
  }, LAYOUT_6_1);
  follower.keep((...segment) => writer.segment(...segment));
  const step = (count: number) => {
    writeMany(ring, count);
    follower.poll();
    follower.drain(() => {}, { all: true });
  };
  step(3);
  writer.comm(7, "bash");
  writer.poll(follower.complete, 0, 0);
  writer.lost(0, 12);
  step(2);
  writer.poll(follower.complete, 12, 4);
  return {
    path,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

Deno.test("a spool is passed on with its losses, names and totals", () => {
  using at = spooled();
  using spool = new SpoolReader(at.path, LAYOUT_6_1);
  const writer = new NotingWriter();
  const summary = writeSpool(spool, BARE_GUEST, [], writer);
  const short = writer.notes.map((note) => note.replace(/: .*/, ""));
  assert.equal(short[0], "begin collected - null");
  assert.equal(short[1], "refresh");
  assert.match(writer.notes.join("\n"), /\nlost 12 of cpu 0 before \d+\ncpu 0/);
  assert.equal(short.at(-1), "end 5 events, 12 lost, 4 dropped");
  assert.equal(writer.rows.length, 5);
  const lossAt = short.findIndex((note) => note.startsWith("lost"));
  const before = writer.notes.slice(0, lossAt).filter((note) =>
    note.startsWith("cpu")
  ).flatMap((note) => note.replace(/,.*/, "").split(" ").slice(2));
  assert.equal(before.length, 3);
  assert.deepEqual(summary, {
    events: 5,
    kept: 5,
    lost: 12,
    dropped: 4,
    truncated: false,
  });
});

Deno.test("events outside calls of the roots are left out, but not their losses", () => {
  using at = spooled();
  using spool = new SpoolReader(at.path, LAYOUT_6_1);
  const writer = new NotingWriter();
  const summary = writeSpool(spool, BARE_GUEST, [0xffffffff81000000n], writer);
  assert.deepEqual(
    writer.notes.filter((note) => !note.startsWith("begin")).map((note) =>
      note.replace(/before \d+/, "")
    ),
    ["refresh", "lost 12 of cpu 0 ", "end 0 events, 12 lost, 4 dropped"],
  );
  assert.equal(summary.events, 5);
  assert.equal(summary.kept, 0);
});

Deno.test("as text: the lines are counted without the header", () => {
  using at = spooled();
  using spool = new SpoolReader(at.path, LAYOUT_6_1);
  let text = "";
  const { lines } = writeTraceGraph(
    spool,
    { ...BARE_GUEST, options: { ...BARE_GUEST.options, contextInfo: false } },
    [],
    (chunk) => text += chunk,
  );
  assert.equal(
    text,
    "# tracer: nop\n#\n" + "Unknown type 30\n".repeat(3) +
      "CPU:0 [LOST 12 EVENTS]\n" + "Unknown type 30\n".repeat(2),
  );
  assert.equal(lines, 6);
});
