/**
 * The plain control writes (Trace_Switch without anything installed in the
 * guest): each function plans writes, none of them writes.
 *
 * @module
 */
import { KernelError } from "../base/errors.ts";
import { type ControlWrite, planWrite } from "./control.ts";
import { eventFiles, type TraceEvents } from "../ftrace/events/events.ts";
import { RB_BUFFER_OFF, type TraceArray } from "../ftrace/ring/trace_array.ts";

const onOff = (on: boolean) => (on ? "1" : "0");

/**
 * Recording on or off, as writing the guest's `tracing_on` does
 * (kernel/trace/trace.c, tracer_tracing_on/off): RB_BUFFER_OFF in the buffer's
 * `record_disabled`, and the instance's `buffer_disabled` mirror of it.
 */
export function switchRecording(
  instance: TraceArray,
  on: boolean,
): ControlWrite[] {
  const { kernel } = instance;
  const buffer = instance.buffer();
  const shown = [onOff(!on), onOff(on)] as const;
  const bit = BigInt(RB_BUFFER_OFF);
  return [
    planWrite(
      kernel,
      "tracing_on",
      "trace_buffer.record_disabled",
      buffer.object.at("record_disabled"),
      4,
      on ? 0n : bit,
      { mask: bit, shown },
    ),
    instance.object.has("buffer_disabled")
      ? planWrite(
        kernel,
        "tracing_on",
        "trace_array.buffer_disabled",
        instance.object.at("buffer_disabled"),
        4,
        on ? 0n : 1n,
        { shown },
      )
      : undefined,
  ].filter((write) => write !== undefined);
}

/**
 * Stops one CPU's buffer (or lets it go on): a count in
 * `ring_buffer_per_cpu.record_disabled`.
 *
 * @throws {KernelError} when the guest has no such CPU.
 */
export function switchCpu(
  instance: TraceArray,
  cpu: number,
  on: boolean,
): ControlWrite {
  const buffers = instance.buffer().cpuBuffers();
  const found = buffers.find((buffer) => buffer.cpu === cpu);
  if (found === undefined) {
    throw new KernelError(
      `the guest has no CPU ${cpu}: it has ${
        buffers.map((buffer) => buffer.cpu).join(", ")
      }`,
    );
  }
  const before = BigInt(found.counters().recordDisabled);
  if (on && before === 0n) {
    throw new KernelError(`CPU ${cpu} is recording already`);
  }
  return {
    what: `cpu${cpu}`,
    where: "ring_buffer_per_cpu.record_disabled",
    gva: found.object.at("record_disabled"),
    width: 4,
    mask: 0xffffffffn,
    before,
    after: on ? before - 1n : before + 1n,
    counts: true,
  };
}

/**
 * Limits how deep function_graph follows calls, as `max_graph_depth` does; 0
 * is no limit.
 *
 * @throws {KernelError} when the kernel has no function_graph tracer.
 */
export function limitDepth(
  instance: TraceArray,
  depth: number,
): ControlWrite[] {
  const gva = instance.kernel.symbols.tryAddress("fgraph_max_depth");
  if (gva === undefined) {
    throw new KernelError(
      "this kernel has no function_graph tracer (no symbol fgraph_max_depth)",
    );
  }
  const write = planWrite(
    instance.kernel,
    "max_graph_depth",
    "fgraph_max_depth",
    gva,
    4,
    BigInt(depth),
  );
  return write === undefined ? [] : [write];
}

/**
 * Mutes an enabled event (or unmutes it) by its SOFT_DISABLED bit, as a
 * trigger does.
 *
 * @throws {KernelError} when there is no such event, or it is not enabled.
 */
export function muteEvent(
  instance: TraceArray,
  events: TraceEvents,
  name: string,
  mute: boolean,
): ControlWrite[] {
  const { kernel } = instance;
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
  const position = kernel.types.tryEnumerator(
    "EVENT_FILE_FL_SOFT_DISABLED_BIT",
  );
  const bit = position === undefined
    ? BigInt(kernel.types.enumerator("EVENT_FILE_FL_SOFT_DISABLED"))
    : 1n << BigInt(position);
  const write = planWrite(
    kernel,
    `mute ${name}`,
    "trace_event_file.flags",
    kernel.object("trace_event_file", file.gva).at("flags"),
    kernel.types.tryMember("trace_event_file", "flags")?.size === 8 ? 8 : 4,
    mute ? bit : 0n,
    {
      mask: bit,
      shown: mute ? ["recorded", "muted"] : ["muted", "recorded"],
    },
  );
  return write === undefined ? [] : [write];
}
