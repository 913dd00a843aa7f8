import assert from "node:assert/strict";
import { Follower } from "../ftrace/ring/follower.ts";
import { LAYOUT_6_1 } from "../ftrace/ring/layout_fixture.ts";
import { ringGuest, writeMany } from "../ftrace/ring/ring_guest_fixture.ts";
import { LiveTrace } from "./write_live.ts";
import { BARE_GUEST, NotingWriter } from "./writer_fixture.ts";

Deno.test("events are passed on and flushed with each poll", () => {
  const sim = ringGuest([3]);
  const [ring] = sim.rings;
  const follower = new Follower(sim.instance, LAYOUT_6_1);
  const writer = new NotingWriter();
  const live = new LiveTrace(
    follower,
    { ...BARE_GUEST, target: "qemu:test" },
    writer,
  );
  const step = (count: number) => {
    writeMany(ring, count);
    follower.poll();
    live.drain();
  };
  step(2);
  live.refresh();
  step(3);
  const totals = live.end();
  assert.equal(writer.notes[0], "begin live qemu:test null");
  assert.equal(
    writer.notes.at(-1),
    "end 5 events, 0 lost, 0 dropped",
  );
  assert.deepEqual(totals, { events: 5, lost: 0, dropped: 0 });
  // Regardless of how the events are divided into runs, each is passed on once,
  // and the last one after the refresh.
  assert.equal(new Set(writer.rows).size, 5);
  const kinds = writer.notes.map((note) => note.split(" ")[0]);
  const first = kinds.indexOf("flush");
  assert.ok(first > 0 && kinds.indexOf("refresh") > first);
  assert.equal(kinds.filter((kind) => kind === "flush").length, 3);
});
