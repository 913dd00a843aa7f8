/**
 * Reads everything that is needed to analyse a guest's trace, so that a
 * snapshot can save the pages that were read.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { callSites } from "../kernel/patching/ftrace_ops.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { listFrom } from "../kernel/core/object.ts";
import type { FrozenMemory } from "../memory/frozen_memory.ts";
import { listEvents } from "../ftrace/events/event_list.ts";
import { rawReason } from "../output/text/unfollowed.ts";
import { selfTest } from "../output/text/guest/known_kernel.ts";
import { openInstance } from "../ftrace/ring/open_instance.ts";
import { TraceEvents } from "../ftrace/events/events.ts";
import { graphDepthAt, readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import { traceLayout } from "../ftrace/ring/meta.ts";
import { readBuffers, type Reading } from "../ftrace/ring/reader.ts";
import { TEXT } from "../output/formats/text.ts";
import { writeBuffers } from "../output/write_buffers.ts";
import type { RingBuffer } from "../ftrace/ring/ring_buffer.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { guestTextOptions, traceMeta } from "../output/text/trace_meta.ts";

/** The result of reading a guest's tracing data. */
export interface TracingWork {
  /** Number of events read, over all buffers. */
  readonly events: number;
  /** What could not be read, one sentence each. */
  readonly problems: readonly string[];
}

/** A buffer of an instance, read and kept. */
interface Held {
  readonly instance: TraceArray;
  readonly reading: Reading;
}

/**
 * Reads the buffers of all instances first, in direct succession; then the data
 * needed to render them, the events, the functions and the tasks. What cannot
 * be read is skipped and reported.
 *
 * @param kernel described over `frozen`
 */
export function touchTracing(
  kernel: Kernel,
  frozen: FrozenMemory,
): TracingWork {
  const problems: string[] = [];
  const attempt = (what: string, work: () => void) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      problems.push(`${what} left out: ${error.message}`);
    }
  };
  let events = 0;
  const held: Held[] = [];
  const layout = traceLayout(kernel.types);
  attempt("trace buffers", () => {
    for (const instance of TraceArray.all(kernel)) {
      const name = instance.name ?? "the top level";
      attempt(`the trace of ${name}`, () => {
        for (const part of [instance.current(), instance.snapshot()]) {
          if (part === undefined) continue;
          freezePages(part.buffer, frozen);
          const reading = readBuffers(instance, layout, { part });
          held.push({ instance, reading });
          for (const problem of reading.problems) problems.push(problem);
          events += reading.cpus.reduce((sum, cpu) => sum + cpu.events, 0);
        }
      });
    }
  });
  attempt("events", () => {
    const all = new TraceEvents(kernel);
    const top = traceMeta(TraceArray.global(kernel), all, layout);
    for (const event of all.all()) {
      attempt(`event ${event.name}`, () => {
        const format = all.format(event.id);
        // Compiling the format reads the variables that its text depends on.
        if (format !== undefined) rawReason(format, top);
      });
    }
    for (const { instance, reading } of held) {
      attempt("text", () => {
        const meta = traceMeta(instance, all, layout, { part: reading.part });
        const options = guestTextOptions(instance);
        writeBuffers(reading, { meta, options }, TEXT.writer(() => {}));
        for (const pid of new Set(reading.columns.pid)) meta.tgid?.(pid);
      });
      attempt("state", () => {
        touchState(instance);
        listEvents(instance, all);
      });
    }
  });
  attempt("self-test", () => void selfTest(openInstance({ kernel })));
  attempt("graph roots", () => void readGraphRoots(kernel));
  attempt("functions", () => void callSites(kernel));
  attempt("tasks", () => touchTasks(kernel));
  return { events, problems };
}

/** The pages of a CPU that hold events, each copied as a whole. */
function freezePages(buffer: RingBuffer, frozen: FrozenMemory): void {
  const size = buffer.pageSize;
  for (const cpu of buffer.cpuBuffers()) {
    for (const { gpa } of cpu.chain()) frozen.freeze(gpa, size);
  }
}

/** Reads what `info` shows about an instance. */
function touchState(instance: TraceArray): void {
  const { kernel } = instance;
  void [instance.tracer, instance.recording, instance.clock];
  instance.options();
  const depth = graphDepthAt(kernel);
  if (depth !== undefined) kernel.space.u32(depth);
  for (const cpu of instance.buffer().cpuBuffers()) {
    cpu.counters();
    cpu.pages();
  }
}

/** Reads the task_struct of every process and thread. */
function touchTasks(kernel: Kernel): void {
  const { size } = kernel.types.struct("task_struct");
  const init = kernel.global("init_task", "task_struct");
  const seen = new Set<bigint>();
  const touch = (gva: bigint) => {
    if (seen.has(gva)) return;
    seen.add(gva);
    kernel.space.bytes(gva, size);
  };
  touch(init.gva);
  for (
    const leader of listFrom(kernel, init.at("tasks"), "task_struct", "tasks")
  ) {
    touch(leader.gva);
    const group = leader.follow("signal", "signal_struct");
    if (group === undefined || !group.has("thread_head")) continue;
    const head = group.at("thread_head");
    for (const thread of listFrom(kernel, head, "task_struct", "thread_node")) {
      touch(thread.gva);
    }
  }
}
