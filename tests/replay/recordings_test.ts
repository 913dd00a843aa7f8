/**
 * Recorded guests, read with `--allow-read` alone. What is decoded from their
 * memory equals their own trace text.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { KIND } from "../../engine/ftrace/ring/columns.ts";
import { TraceEvents } from "../../engine/ftrace/events/events.ts";
import { Follower } from "../../engine/ftrace/ring/follower.ts";
import { TimeMerge } from "../../engine/ftrace/ring/merge.ts";
import { traceLayout } from "../../engine/ftrace/ring/meta.ts";
import { TEXT } from "../../engine/output/formats/text.ts";
import { writeBuffers } from "../../engine/output/write_buffers.ts";
import { readBuffers } from "../../engine/ftrace/ring/reader.ts";
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import {
  guestTextOptions,
  traceMeta,
} from "../../engine/output/text/trace_meta.ts";
import { openCoreSession, type Session } from "../../engine/session.ts";

const KERNELS = ["6.1", "6.12"];

function testdata(name: string): string {
  return fileURLToPath(import.meta.resolve(`../../testdata/${name}`));
}

function open(kernel: string): Session {
  const path = testdata(`guest-${kernel}.core.zst`);
  return openCoreSession(`core:${path}`, path);
}

for (const kernel of KERNELS) {
  Deno.test(`the recorded ${kernel} guest: report equals its own trace`, () => {
    using session = open(kernel);
    const instance = TraceArray.global(session.kernel);
    const layout = traceLayout(session.kernel.types);
    const reading = readBuffers(instance, layout);
    let text = "";
    writeBuffers(
      reading,
      {
        meta: traceMeta(instance, new TraceEvents(session.kernel), layout),
        options: guestTextOptions(instance),
      },
      TEXT.writer((chunk) => text += chunk),
    );
    const want = Deno.readTextFileSync(testdata(`guest-${kernel}.trace.txt`));
    const got = text.split("\n");
    const lines = want.split("\n");
    for (let i = 0; i < lines.length; i++) {
      assert.equal(got[i], lines[i], `line ${i + 1}`);
    }
    assert.equal(got.length, lines.length);
    assert.ok(lines.length > 1000);
    assert.deepEqual(reading.problems, []);
    for (const cpu of reading.cpus) {
      assert.equal(cpu.events + cpu.skipped, cpu.expected);
      assert.equal(cpu.lost, 0);
    }
  });

  Deno.test(`the recorded ${kernel} guest: a follower finds the same`, () => {
    using session = open(kernel);
    const instance = TraceArray.global(session.kernel);
    const layout = traceLayout(session.kernel.types);
    const reading = readBuffers(instance, layout);
    const follower = new Follower(instance, layout, { fromBuffer: true });
    follower.poll();
    const merge = new TimeMerge(reading.columns);
    let calls = 0;
    const handed = follower.drain((columns, row) => {
      const same = merge.next();
      assert.equal(columns.timeAt(row), reading.columns.timeAt(same));
      assert.equal(columns.type[row], reading.columns.type[same]);
      assert.equal(columns.pid[row], reading.columns.pid[same]);
      assert.equal(columns.functionAt(row), reading.columns.functionAt(same));
      if (columns.kind[row] === KIND.entry) calls++;
    }, { all: true });
    assert.equal(merge.next(), -1);
    assert.equal(handed, reading.columns.length);
    assert.ok(calls > 1000);
    const { decoded, lost, exact } = follower.totals();
    assert.deepEqual({ decoded, lost, exact }, {
      decoded: handed,
      lost: 0,
      exact: true,
    });
  });

  Deno.test(`the recorded ${kernel} guest cannot be written to`, () => {
    using session = open(kernel);
    assert.equal(session.memory.writable, false);
    assert.throws(() => session.memory.write(4096, new Uint8Array(8)));
    assert.equal(session.alive(), false);
  });
}
