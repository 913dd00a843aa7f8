/**
 * Instances whose buffers lie in memory that outlives a restart (kernel
 * parameters `reserve_mem` and `trace_instance`), and hold what the boot before
 * recorded. That kernel, and its modules, lay elsewhere (KASLR).
 *
 * Source: kernel/trace/trace.c (trace_adjust_address, last_boot_info).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { TraceArray } from "../ring/trace_array.ts";

/** A module of the boot before. */
export interface LastBootModule {
  readonly name: string;
  /** GVA of its code in that boot. */
  readonly address: bigint;
  /** How much higher it lies now; 0n if it is not loaded, or at its place. */
  readonly delta: bigint;
}

/** What is known of the boot whose events an instance holds. */
export interface LastBoot {
  /** How much higher the kernel's own code lies now than in that boot. */
  readonly textDelta: bigint;
  /**
   * The modules of that boot, by address; `undefined` when the kernel does not
   * keep them: then addresses in modules are moved like those of the kernel,
   * and what they seem to be is not true.
   */
  readonly modules: readonly LastBootModule[] | undefined;
  /** Where an address of that boot is now, as the kernel itself has it. */
  adjust(address: bigint): bigint;
}

/** More modules than any kernel has loaded. */
const MOST_MODULES = 4096;

/**
 * The boot before this one, if an instance holds its events; `undefined` if they
 * are of this boot.
 *
 * Since dca91c1c5468 and bab85a646dd9 (6.15) the buffer names the modules; 6.12
 * knows only how far the kernel has moved.
 *
 * @throws {KernelError} when that is not where it is known to be.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { lastBoot, openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.12.core.zst");
 * const { instance } = openInstance(guest.session);
 * console.log(lastBoot(instance)); // undefined: its events are of this boot
 * ```
 */
export function lastBoot(instance: TraceArray): LastBoot | undefined {
  const { object, kernel } = instance;
  // Buffers in reserved memory came with it (6.12).
  if (!object.has("text_delta")) {
    if (!object.has("range_addr_start")) return undefined;
    throw elsewhere(
      "how far it has moved: struct trace_array has no text_delta",
    );
  }
  const textDelta = BigInt.asIntN(64, object.u64("text_delta"));
  const moved = (address: bigint) => BigInt.asUintN(64, address + textDelta);
  if (!object.has("module_delta")) {
    return textDelta === 0n
      ? undefined
      : { textDelta, modules: undefined, adjust: moved };
  }
  const flag = kernel.types.tryEnumerator("TRACE_ARRAY_FL_LAST_BOOT");
  if (flag === undefined) {
    throw elsewhere(
      "whether events are of it: there is no TRACE_ARRAY_FL_LAST_BOOT",
    );
  }
  if ((object.number("flags") & flag) === 0) return undefined;
  const modules = modulesOf(instance);
  // `__is_kernel` and its like: code, data and read-only data lie between.
  const first = kernel.symbols.address("_stext");
  const end = kernel.symbols.address("_end");
  return {
    textDelta,
    modules,
    adjust: (address) => {
      const index = moduleAt(modules, address);
      if (index >= 0) {
        return BigInt.asUintN(64, address + modules[index].delta);
      }
      const at = moved(address);
      return at >= first && at < end ? at : address;
    },
  };
}

/**
 * The module to which the kernel counts an address, -1 for none: the last one
 * before it. At the very start of the last one it finds the first, because its
 * search (cmp_mod_entry) takes an address for a module's only below the next.
 */
function moduleAt(
  modules: readonly LastBootModule[],
  address: bigint,
): number {
  const last = modules.length - 1;
  if (last > 0 && modules[last].address === address) return 0;
  let [from, end] = [0, modules.length];
  while (from < end) {
    const middle = (from + end) >>> 1;
    if (modules[middle].address <= address) from = middle + 1;
    else end = middle;
  }
  return from - 1;
}

/** The modules that the buffer names; none until it is known where they are. */
function modulesOf({ object, kernel }: TraceArray): LastBootModule[] {
  const scratch = object.follow("scratch", "trace_scratch");
  const deltas = object.follow("module_delta", "trace_module_delta");
  if (scratch === undefined || deltas === undefined) return [];
  const count = scratch.u64("nr_entries");
  if (count > BigInt(MOST_MODULES)) {
    throw new KernelError(
      `the guest's trace instance names ${count} modules of the boot before: it is damaged`,
    );
  }
  const size = kernel.types.tryStruct("trace_mod_entry")?.size ?? 0;
  if (size === 0) {
    throw elsewhere("where its modules were: there is no trace_mod_entry");
  }
  const entries = scratch.at("entries");
  const delta = deltas.at("delta");
  const modules: LastBootModule[] = [];
  for (let i = 0; i < count; i++) {
    const entry = kernel.object(
      "trace_mod_entry",
      entries + BigInt(i * size),
    );
    modules.push({
      name: entry.chars("mod_name"),
      address: entry.u64("mod_addr"),
      delta: BigInt.asIntN(64, kernel.space.u64(delta + BigInt(8 * i))),
    });
  }
  return modules;
}

function elsewhere(what: string): KernelError {
  return new KernelError(
    `this kernel keeps, where xftrace does not know, of the boot before ${what}`,
  );
}
