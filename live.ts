/**
 * xftrace for running guests: everything that `xftrace` exports, and an `open`
 * that reads a guest's memory, which needs native code
 * (`deno run --allow-all`).
 *
 *     import { open, sys_openat, trace } from "xftrace/live";
 *
 *     await using guest = await open("qemu:web1");
 *     console.log(guest.kernel.object("init_task").comm);
 *     for (const task of guest.kernel.tasks()) console.log(task.pid, task.comm);
 *     await trace(sys_openat).until("5s").on(guest).print();
 *
 * @module
 */
import { Guest, type RecordingOptions } from "./mod.ts";
import { symbolCacheDir } from "./engine/kernel/locate/symbol_cache.ts";
import { readSystemMap } from "./engine/kernel/symbols/system_map.ts";
import { attach } from "./ffi/attach.ts";

export * from "./mod.ts";
export { HOST_CLOCKS, HostClock } from "./ffi/host_clock.ts";
export { openAgent } from "./ffi/open_agent.ts";

/** Options for opening a target. */
export interface OpenOptions extends Omit<RecordingOptions, "systemMap"> {
  /**
   * Whether to use and write the cache, with which the symbols of a kernel that
   * was seen before are known within milliseconds. Default: true. It is never
   * used for recordings.
   */
  readonly cache?: boolean;
  /** Folder of that cache; default: below `~/.cache`. */
  readonly cacheDir?: string;
  /** Path of a System.map whose symbols replace the kernel's own. */
  readonly systemMap?: string;
  /**
   * Read by `pread` instead of through a mapping: slower, but if the memory
   * file is truncated, this gives an error and not a signal that ends the
   * program.
   */
  readonly safeRead?: boolean;
  /**
   * Path of a QMP socket of the VM's QEMU, if it is not on its command line or
   * another one should be used.
   */
  readonly monitor?: string;
  /**
   * Set if the guest is going to be changed: then a recording is refused.
   * Memory is made writable only when a plan is carried out.
   */
  readonly steered?: boolean;
}

/**
 * Opens a target: `qemu:NAME`, `pid:N`, `file:PATH` or `core:PATH`; by default
 * the one that XFTRACE_TARGET names, else the only VM that runs. Its memory is
 * opened read-only; it is made writable only while a trace that changes the
 * guest runs.
 *
 * @throws {XftraceError} if it cannot be opened; says what is missing and what
 * to do.
 *
 * @example
 * ```ts ignore
 * import { open, sys_openat, trace } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * console.log(guest.kernel.object("init_task").comm);
 * for (const task of guest.kernel.tasks()) console.log(task.pid, task.comm);
 * await trace(sys_openat).until("5s").on(guest).print();
 * ```
 */
export function open(
  target?: string,
  options: OpenOptions = {},
): Promise<Guest> {
  // Errors reject the promise.
  return Promise.try(() => {
    const { cache = true, systemMap, ...others } = options;
    const environment = target === undefined
      ? Deno.env.get("XFTRACE_TARGET")
      : undefined;
    const cacheDir = options.cacheDir ??
      (cache ? symbolCacheDir() : undefined);
    const described = {
      ...others,
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(systemMap === undefined
        ? {}
        : { systemMap: readSystemMap(systemMap) }),
    };
    const session = attach(target, {
      ...described,
      ...(environment === undefined ? {} : { environment }),
    });
    return new Guest(session, described);
  });
}
