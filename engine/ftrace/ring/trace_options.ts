/**
 * The options of an instance, and those of its current tracer, where each kernel
 * keeps them (kernel/trace/trace.c, tracing_trace_options_show).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { type KernelMemory, KernelObject } from "../../kernel/core/object.ts";

/** An option by its name in tracefs. */
export interface TraceOption {
  readonly name: string;
  /** Its bit, as a mask: of `trace_flags`, or of `tracer_flags.val`. */
  readonly mask: bigint;
  readonly set: boolean;
}

/** `trace_array.trace_flags` has 64 bits. */
const MOST_OPTIONS = 64;
/** `tracer_flags.val` has 32 bits. */
const MOST_TRACER_OPTIONS = 32;

/**
 * The kernel's own names of the bits of `trace_flags` (`trace_options[]` of
 * trace.c), in the order of the bits; `undefined` when its symbol is not known,
 * as with a System.map that lacks it.
 */
export function optionNames(kernel: KernelMemory): string[] | undefined {
  const array = kernel.symbols.tryAddress("trace_options");
  if (array === undefined) return undefined;
  const names: string[] = [];
  while (names.length < MOST_OPTIONS) {
    const name = kernel.space.u64(array + BigInt(8 * names.length));
    if (name === 0n) break;
    names.push(kernel.space.string(name, 64));
  }
  return names;
}

/**
 * The `struct tracer_flags` that holds the current tracer's options;
 * `undefined` when that tracer has none.
 *
 * An instance points to them in `trace_array.current_trace_flags`, seen in
 * 7.2.13, where the flags of a tracer with options are the instance's own and
 * `tracer.flags` is empty. Earlier kernels have them in `tracer.flags` alone.
 *
 * @param instance a `trace_array`
 * @throws {KernelError} when the kernel keeps them in neither place.
 */
export function tracerFlags(instance: KernelObject): KernelObject | undefined {
  if (instance.has("current_trace_flags")) {
    return instance.follow("current_trace_flags", "tracer_flags");
  }
  if (instance.kernel.types.tryOffset("tracer", "flags") === undefined) {
    throw new KernelError(
      "this kernel keeps the options of tracers where xftrace does not know: " +
        "struct trace_array has no current_trace_flags, and struct tracer no " +
        "flags",
    );
  }
  return instance.follow("current_trace", "tracer")
    ?.follow("flags", "tracer_flags");
}

/**
 * The options of an instance's current tracer (`funcgraph-*`).
 *
 * @throws {KernelError} like {@linkcode tracerFlags}.
 */
export function tracerOptions(instance: KernelObject): TraceOption[] {
  const flags = tracerFlags(instance);
  return flags === undefined ? [] : tracerFlagOptions(flags);
}

/** The options in a `struct tracer_flags`. */
export function tracerFlagOptions(flags: KernelObject): TraceOption[] {
  const { kernel } = flags;
  const value = flags.u64("val");
  const size = BigInt(kernel.types.struct("tracer_opt").size);
  const found: TraceOption[] = [];
  const first = flags.follow("opts", "tracer_opt");
  if (first === undefined) return [];
  for (let i = 0; i < MOST_TRACER_OPTIONS; i++) {
    const gva = first.gva + size * BigInt(i);
    const opt = new KernelObject(kernel, "tracer_opt", gva);
    const name = opt.stringAt("name", 64);
    if (name === undefined) break;
    const mask = opt.u64("bit");
    if (
      mask === 0n || (mask & (mask - 1n)) !== 0n ||
      found.some((other) => other.mask === mask)
    ) {
      throw new KernelError(
        "this kernel keeps the options of tracers where xftrace does not know: " +
          `struct tracer_opt does not give ${name} a bit of its own`,
      );
    }
    found.push({ name, mask, set: (value & mask) !== 0n });
  }
  return found;
}

/**
 * The options of an instance, without those of its tracer.
 *
 * @throws {KernelError} when `struct trace_array` has no `trace_flags`, or the
 * kernel no `trace_options`.
 */
export function instanceOptions(instance: KernelObject): TraceOption[] {
  const flags = optionBits(instance);
  const names = optionNames(instance.kernel);
  if (names === undefined) {
    throw new KernelError(
      "this kernel keeps the names of trace options where xftrace does not " +
        "know: it has no symbol trace_options",
    );
  }
  return names.map((name, bit) => ({
    name,
    mask: 1n << BigInt(bit),
    set: ((flags >> BigInt(bit)) & 1n) === 1n,
  }));
}

/**
 * The word with an instance's options.
 *
 * @throws {KernelError} when `struct trace_array` has no `trace_flags`.
 */
export function optionBits(instance: KernelObject): bigint {
  if (!instance.has("trace_flags")) {
    throw new KernelError(
      "this kernel keeps trace options where xftrace does not know: struct " +
        "trace_array has no trace_flags",
    );
  }
  return instance.u64("trace_flags");
}
