import assert from "node:assert/strict";
import { listEvents } from "../ftrace/events/event_list.ts";
import { rawReason } from "../output/text/unfollowed.ts";
import { TraceEvents } from "../ftrace/events/events.ts";
import { traceLayout } from "../ftrace/ring/meta.ts";
import { readBuffers } from "../ftrace/ring/reader.ts";
import { TEXT } from "../output/formats/text.ts";
import { writeBuffers } from "../output/write_buffers.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { guestTextOptions, traceMeta } from "../output/text/trace_meta.ts";
import { traceableFunctions } from "../kernel/functions/traceable.ts";
import { openCoreSession, type Session } from "../session.ts";
import { takeSnapshot } from "./snapshot.ts";

const KERNELS = ["6.1", "6.12"] as const;

function recorded(kernel: string): Session {
  const path = new URL(
    `../../testdata/guest-${kernel}.core.zst`,
    import.meta.url,
  ).pathname;
  return openCoreSession(`core:${path}`, path);
}

function report({ kernel }: Session): string {
  const layout = traceLayout(kernel.types);
  const instance = TraceArray.global(kernel);
  const meta = traceMeta(instance, new TraceEvents(kernel), layout);
  let text = "";
  writeBuffers(
    readBuffers(instance, layout),
    { meta, options: guestTextOptions(instance) },
    TEXT.writer((chunk) => text += chunk),
  );
  return text;
}

for (const kernel of KERNELS) {
  Deno.test(`a snapshot of a ${kernel} recording gives the same output`, async () => {
    using first = recorded(kernel);
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/again.core.zst`;
      const warnings: string[] = [];
      const steps = new Set<string>();
      const taken = await takeSnapshot(first, path, {
        onWarning: (sentence) => warnings.push(sentence),
        onProgress: (step) => steps.add(step),
      });
      assert.deepEqual(warnings, []);
      assert.ok(taken.events > 0 && taken.pages > 1000);
      assert.deepEqual([...steps], [
        "reading the kernel",
        "reading the trace",
        "writing",
      ]);
      using again = openCoreSession(`core:${path}`, path);
      assert.equal(report(again), report(first));
      assert.equal(again.kernel.facts.banner, first.kernel.facts.banner);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test(`a ${kernel} recording holds its events and functions`, () => {
    using session = recorded(kernel);
    const described = session.kernel;
    const instance = TraceArray.global(described);
    const events = new TraceEvents(described);
    const meta = traceMeta(instance, events, traceLayout(described.types));
    const listed = listEvents(instance, events);
    const open = listed.filter((event) => !event.internal);
    assert.ok(open.some((event) => event.name === "sched_switch"));
    assert.ok(!open.some((event) => event.system === "ftrace"));
    const raw = listed.filter((event) => {
      const format = events.format(event.id);
      return format !== undefined && rawReason(format, meta) !== undefined;
    });
    assert.ok(raw.length < listed.length * 0.03, `${raw.length} raw`);
    const functions = traceableFunctions(described);
    assert.ok(functions.length > 30_000, `${functions.length} functions`);
    const read = functions.filter((each) => each.name === "vfs_read");
    assert.equal(read.length, 1);
    assert.equal(read[0].module, undefined);
  });
}

Deno.test("a snapshot keeps the registers of the processors", async () => {
  using first = recorded("6.12");
  const folder = await Deno.makeTempDir();
  try {
    const { root } = first.kernel.space.tables;
    const cpus = [{ cpu: 0, values: { cr3: BigInt(root), cr0: 1n << 31n } }];
    const saved = async (name: string, session: typeof first) => {
      const path = `${folder}/${name}.core`;
      await takeSnapshot(session, path);
      using again = openCoreSession(`core:${path}`, path);
      return await again.registers();
    };
    const told = await saved("told", {
      ...first,
      registers: () =>
        Promise.resolve({ cpus, tops: new Map(), from: "QEMU's monitor" }),
    });
    assert.ok("cpus" in told);
    assert.deepEqual(told.cpus, cpus);
    assert.equal(told.from, "the recording, from QEMU's monitor");
    const silent = await saved("silent", first);
    assert.deepEqual(silent, {
      why: "the recording holds no registers of the processors",
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
