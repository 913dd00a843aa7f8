/**
 * Ftrace's instances in guest memory: the top-level `global_trace` and those in
 * `instances/` (kernel/trace/trace.h, struct trace_array).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { type KernelObject, listFrom } from "../../kernel/core/object.ts";
import { RingBuffer } from "./ring_buffer.ts";
import { instanceOptions, tracerOptions } from "./trace_options.ts";

/** RB_BUFFER_OFF: the bit in `record_disabled` that `tracing_on=0` sets. */
export const RB_BUFFER_OFF = 1 << 20;

/** Tracers that keep the trace of their longest latency. */
export const LATENCY_TRACERS = /^(wakeup|irqsoff|preempt)/;

/** A buffer with what the kernel keeps beside it (`struct array_buffer`). */
export interface BufferPart {
  /** The member of `struct trace_array`. */
  readonly member: "array_buffer" | "snapshot_buffer" | "max_buffer";
  readonly buffer: RingBuffer;
  /** Events with earlier time stamps (ns) are stale and not shown. */
  readonly timeStart: bigint;
}

/** Size of a row of `trace_clocks[]`. */
const CLOCK_BYTES = 24;
/** More clocks than any kernel has. */
const MOST_CLOCKS = 32;

/**
 * An Ftrace instance.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { TraceArray } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * for (const instance of TraceArray.all(guest.session.kernel)) {
 *   console.log(instance.name ?? "top", instance.tracer, instance.options().length);
 * }
 * ```
 */
export class TraceArray {
  readonly kernel: Kernel;
  readonly object: KernelObject;

  constructor(kernel: Kernel, gva: bigint) {
    this.kernel = kernel;
    this.object = kernel.object("trace_array", gva);
  }

  /** The top-level instance. */
  static global(kernel: Kernel): TraceArray {
    const gva = kernel.symbols.tryAddress("global_trace");
    if (gva === undefined) {
      throw new KernelError(
        "this kernel has no Ftrace (no symbol global_trace): it needs CONFIG_TRACING and CONFIG_KALLSYMS_ALL, or give --system-map FILE",
      );
    }
    return new TraceArray(kernel, gva);
  }

  /** All instances, beginning with the top-level one. */
  static all(kernel: Kernel): TraceArray[] {
    const top = TraceArray.global(kernel);
    const found = [top];
    const head = kernel.symbols.tryAddress("ftrace_trace_arrays");
    if (head === undefined) {
      throw new KernelError(
        "this kernel keeps its trace instances where xftrace does not know: " +
          "it has no symbol ftrace_trace_arrays",
      );
    }
    for (const object of listFrom(kernel, head, "trace_array", "list")) {
      if (object.gva !== top.object.gva) {
        found.push(new TraceArray(kernel, object.gva));
      }
    }
    return found;
  }

  /**
   * The instance with that name (default: the top-level one).
   *
   * @throws {KernelError} when there is no such instance; the message lists
   * those that exist.
   */
  static named(kernel: Kernel, name?: string): TraceArray {
    if (name === undefined) return TraceArray.global(kernel);
    const all = TraceArray.all(kernel);
    const found = all.find((instance) => instance.name === name);
    if (found !== undefined) return found;
    const names = all.map((i) => i.name).filter((n) => n !== undefined);
    throw new KernelError(
      `the guest has no trace instance "${name}"` +
        (names.length > 0
          ? `: it has ${names.join(", ")}`
          : "; it has none but the top-level one"),
    );
  }

  /** The instance's name; `undefined` for the top-level one. */
  get name(): string | undefined {
    return this.object.stringAt("name");
  }

  /** The buffer that is currently written to. */
  buffer(): RingBuffer {
    const gva = this.object.u64("array_buffer.buffer");
    if (gva === 0n) {
      throw new KernelError(
        "the guest's trace buffer is not allocated yet: it is still booting",
      );
    }
    return new RingBuffer(this.kernel, gva);
  }

  /** The buffer that is currently written to, and what belongs to it. */
  current(): BufferPart {
    return this.#part("array_buffer", this.buffer());
  }

  /**
   * What the file `trace` shows: of tracers that look for the longest latency
   * (`tracer.print_max`: wakeup, irqsoff and others) the trace of that, which
   * they keep as a snapshot; otherwise the buffer that is written to
   * (kernel/trace/trace.c, __tracing_open).
   *
   * @throws {KernelError} when it is not known which of them it is.
   */
  shown(): BufferPart {
    return (this.#showsLongest() ? this.snapshot() : undefined) ??
      this.current();
  }

  #showsLongest(): boolean {
    const tracer = this.object.follow("current_trace", "tracer");
    if (tracer === undefined) return false;
    if (tracer.has("print_max")) return tracer.number("print_max") !== 0;
    if (!LATENCY_TRACERS.test(this.tracer)) return false;
    throw new KernelError(
      "this kernel keeps, where xftrace does not know, whether the trace of " +
        `the tracer ${this.tracer} is that of its longest latency: struct ` +
        "tracer has no print_max",
    );
  }

  /** The snapshot buffer, and what belongs to it; see {@linkcode snapshotBuffer}. */
  snapshot(): BufferPart | undefined {
    const member = this.#snapshotMember();
    const buffer = this.snapshotBuffer();
    return member === undefined || buffer === undefined
      ? undefined
      : this.#part(member, buffer);
  }

  #part(member: BufferPart["member"], buffer: RingBuffer): BufferPart {
    const timeStart = this.object.u64(`${member}.time_start`);
    return { member, buffer, timeStart };
  }

  /**
   * The snapshot buffer, if the kernel has allocated one. It is the member
   * `snapshot_buffer` (seen in 7.2.13), before `max_buffer`.
   *
   * @throws {KernelError} when the kernel can take snapshots, but keeps them in
   * neither.
   */
  snapshotBuffer(): RingBuffer | undefined {
    const member = this.#snapshotMember();
    if (member === undefined) return undefined;
    const gva = this.object.u64(`${member}.buffer`);
    return gva === 0n ? undefined : new RingBuffer(this.kernel, gva);
  }

  #snapshotMember(): "snapshot_buffer" | "max_buffer" | undefined {
    const { object } = this;
    const member = (["snapshot_buffer", "max_buffer"] as const)
      .find((name) => object.has(`${name}.buffer`));
    // Of the same #ifdef CONFIG_TRACER_SNAPSHOT or CONFIG_TRACER_MAX_TRACE.
    if (member !== undefined || !object.has("allocated_snapshot")) {
      return member;
    }
    throw new KernelError(
      "this kernel keeps snapshots where xftrace does not know: struct " +
        "trace_array has no snapshot_buffer and no max_buffer",
    );
  }

  /** Events with earlier time stamps (ns) are stale and not shown. */
  get timeStart(): bigint {
    return this.object.u64("array_buffer.time_start");
  }

  /** Name of the current tracer: `nop`, `function_graph`. */
  get tracer(): string {
    return this.object.follow("current_trace", "tracer")?.stringAt("name") ??
      "nop";
  }

  /** Whether `tracing_on` is 1. */
  get recording(): boolean {
    return (this.buffer().object.number("record_disabled") & RB_BUFFER_OFF) ===
      0;
  }

  /**
   * Name of the trace clock, and whether its unit is ns; `undefined` when the
   * kernel's table of clocks is not where it is known to be.
   */
  get clock(): { name: string; inNs: boolean | undefined } {
    const id = this.object.number("clock_id");
    const table = this.kernel.symbols.tryAddress("trace_clocks");
    // The first clock has been this one since there are several.
    if (
      table === undefined || id >= MOST_CLOCKS ||
      clockRow(this.kernel, table, 0).name !== "local"
    ) return { name: `clock ${id}`, inNs: undefined };
    return clockRow(this.kernel, table, id);
  }

  /**
   * All trace options by tracefs name, and whether they are set: those of the
   * instance, then those of its tracer.
   *
   * @throws {KernelError} when the kernel keeps them in a place that is not
   * known.
   */
  options(): { name: string; set: boolean }[] {
    return [...instanceOptions(this.object), ...tracerOptions(this.object)]
      .map(({ name, set }) => ({ name, set }));
  }
}

/** A clock by which events can be stamped. */
export interface TraceClock {
  /** As the file `trace_clock` has it: `local`. */
  readonly name: string;
  /** Whether it counts ns. */
  readonly inNs: boolean;
}

/**
 * A row of `trace_clocks[]`, a struct without a name, so that BTF cannot be
 * searched for it: a function, the name, and whether it counts ns (trace.c).
 */
function clockRow(
  { space }: Kernel,
  table: bigint,
  row: number,
): TraceClock {
  const at = table + BigInt(row * CLOCK_BYTES);
  return {
    name: space.string(space.u64(at + 8n), 32),
    inNs: space.u32(at + 16n) !== 0,
  };
}

/**
 * The clocks that the kernel has.
 *
 * @throws {KernelError} when its table of them is not where it is known to be.
 */
export function traceClocks(kernel: Kernel): TraceClock[] {
  const table = kernel.symbols.tryAddress("trace_clocks");
  const size = table === undefined
    ? 0
    : kernel.symbols.lookup(table)?.size ?? 0;
  const rows = Math.min(Math.floor(size / CLOCK_BYTES), MOST_CLOCKS);
  if (
    table === undefined || rows === 0 ||
    clockRow(kernel, table, 0).name !== "local"
  ) {
    throw new KernelError(
      "this kernel's trace clocks are not where xftrace knows them to be",
    );
  }
  const clocks: TraceClock[] = [];
  for (let row = 0; row < rows; row++) {
    // Behind the last one there may be padding.
    const at = table + BigInt(row * CLOCK_BYTES);
    if (kernel.space.u64(at + 8n) === 0n) break;
    clocks.push(clockRow(kernel, table, row));
  }
  return clocks;
}
