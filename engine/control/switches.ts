/**
 * The words in memory that act as Ftrace's switches: each function plans
 * changes of them, and none writes.
 *
 * @module
 */
import { KernelError } from "../base/errors.ts";
import {
  eventFiles,
  flagMask,
  type TraceEvents,
} from "../ftrace/events/events.ts";
import { graphDepthAt } from "../ftrace/graph/graph_roots.ts";
import { RB_BUFFER_OFF, type TraceArray } from "../ftrace/ring/trace_array.ts";
import type { WordChange, WordGuard } from "./plan.ts";
import { type PlannedMemory, planWord } from "./words.ts";

/** The kernel's variable has 32 bits. */
const LARGEST_DEPTH = 0xffff_ffff;

/** Taking a snapshot swaps the buffer for another. */
function bufferGuard(instance: TraceArray, buffer: bigint): WordGuard {
  return {
    where: "trace_array.array_buffer.buffer",
    gva: instance.object.at("array_buffer.buffer"),
    value: buffer,
  };
}

/** An instance's memory may belong to something else once it is removed. */
function instanceGuard({ object }: TraceArray): WordGuard {
  return {
    where: "trace_array.name",
    gva: object.at("name"),
    value: object.u64("name"),
  };
}

/**
 * Switches recording on or off, as writing the guest's `tracing_on` does
 * (kernel/trace/trace.c, tracer_tracing_on/off): sets RB_BUFFER_OFF in the
 * buffer's `record_disabled` and its mirror, the instance's `buffer_disabled`.
 */
export function switchRecording(
  memory: PlannedMemory,
  instance: TraceArray,
  on: boolean,
): WordChange[] {
  const buffer = instance.buffer().object;
  const guards = [bufferGuard(instance, buffer.gva)];
  const bit = BigInt(RB_BUFFER_OFF);
  return [
    planWord(
      memory,
      "tracing_on",
      "trace_buffer.record_disabled",
      buffer.at("record_disabled"),
      4,
      on ? 0n : bit,
      { mask: bit, guards },
    ),
    planWord(
      memory,
      "tracing_on",
      "trace_array.buffer_disabled",
      instance.object.at("buffer_disabled"),
      4,
      on ? 0n : 1n,
      { guards: [instanceGuard(instance)] },
    ),
  ].filter((change) => change !== undefined);
}

/**
 * Stops the buffer of one CPU by adding 1 to
 * `ring_buffer_per_cpu.record_disabled`.
 *
 * @throws {KernelError} when the guest has no such CPU.
 */
export function stopCpu(
  memory: PlannedMemory,
  instance: TraceArray,
  cpu: number,
): WordChange {
  const buffer = instance.buffer();
  const buffers = buffer.cpuBuffers();
  const found = buffers.find((buffer) => buffer.cpu === cpu);
  if (found === undefined) {
    throw new KernelError(
      `the guest has no CPU ${cpu}: it has ${
        buffers.map((buffer) => buffer.cpu).join(", ")
      }`,
    );
  }
  const gva = found.object.at("record_disabled");
  const before = memory.word(gva, 4);
  const change: WordChange = {
    way: "word",
    what: `cpu${cpu}`,
    where: "ring_buffer_per_cpu.record_disabled",
    gva,
    width: 4,
    mask: 0xffffffffn,
    before,
    after: before + 1n,
    counts: true,
    guards: [bufferGuard(instance, buffer.object.gva)],
  };
  memory.note(change);
  return change;
}

/**
 * Limits how deep function_graph follows calls, as `max_graph_depth` does; 0
 * means no limit.
 *
 * @throws {KernelError} when the kernel has no function_graph tracer, or its
 * variable cannot hold the number.
 */
export function limitDepth(
  memory: PlannedMemory,
  depth: number,
): WordChange[] {
  const gva = graphDepthAt(memory.kernel);
  if (gva === undefined) {
    throw new KernelError(
      "this kernel has no function_graph tracer (no symbol fgraph_max_depth)",
    );
  }
  if (!Number.isInteger(depth) || depth < 0 || depth > LARGEST_DEPTH) {
    throw new KernelError(
      `max_graph_depth cannot be ${depth}: it is a whole number, ${LARGEST_DEPTH} at most`,
    );
  }
  const change = planWord(
    memory,
    "max_graph_depth",
    "fgraph_max_depth",
    gva,
    4,
    BigInt(depth),
  );
  return change === undefined ? [] : [change];
}

/**
 * Mutes an enabled event by setting its SOFT_DISABLED bit, as a trigger does.
 *
 * @param name `sched:sched_switch`, or `sched_switch`
 * @throws {KernelError} when there is no such event, or it is not enabled.
 */
export function muteEvent(
  memory: PlannedMemory,
  instance: TraceArray,
  events: TraceEvents,
  name: string,
): WordChange[] {
  const { kernel } = memory;
  const file = eventFiles(kernel, instance.object, events).find((file) =>
    file.name === name || `${file.system}:${file.name}` === name
  );
  if (file === undefined) {
    throw new KernelError(
      `the guest has no event ${name}: list them with \`xftrace info\``,
    );
  }
  if (!file.enabled) {
    throw new KernelError(
      `event ${file.system}:${file.name} is not enabled in the guest, so there is nothing to mute: boot it with trace_event=${file.system}:${file.name}`,
    );
  }
  const bit = BigInt(flagMask(kernel.types, "EVENT_FILE_FL_SOFT_DISABLED"));
  const object = kernel.object("trace_event_file", file.gva);
  const change = planWord(
    memory,
    `mute ${name}`,
    "trace_event_file.flags",
    object.at("flags"),
    kernel.types.tryMember("trace_event_file", "flags")?.size === 8 ? 8 : 4,
    bit,
    {
      mask: bit,
      guards: [{
        where: "trace_event_file.event_call",
        gva: object.at("event_call"),
        value: object.u64("event_call"),
      }],
    },
  );
  return change === undefined ? [] : [change];
}
