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
import { kernelCacheDir } from "./engine/kernel/locate/cache.ts";
import { readSystemMap } from "./engine/kernel/symbols/system_map.ts";
import { attach } from "./ffi/attach.ts";

export * from "./mod.ts";
export { openAgent } from "./ffi/open_agent.ts";

/** How a target is opened. */
export interface OpenOptions extends Omit<RecordingOptions, "systemMap"> {
  /**
   * Use and write the cache, by which a kernel that was seen before is
   * described within milliseconds; default: for guests, not for recordings.
   */
  readonly cache?: boolean;
  /** Path of a System.map whose symbols replace the kernel's own. */
  readonly systemMap?: string;
  /**
   * Read by `pread` instead of through a mapping: slower, but a memory file
   * that is truncated gives an error instead of a signal that ends the program.
   */
  readonly safeRead?: boolean;
  /**
   * The guest is going to be changed: a recording, which has no guest, is
   * refused. Memory still is made writable only when a plan is carried out.
   */
  readonly steered?: boolean;
}

/**
 * Opens a target: `qemu:NAME`, `pid:N`, `file:PATH`, `core:PATH`; by default
 * the one that XFTRACE_TARGET names, else the only VM that runs. Its memory is
 * opened read-only; a trace that changes the guest makes it writable when it
 * runs.
 *
 * @throws {XftraceError} one sentence: what is missing and what to do.
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
    const { cache, systemMap, ...others } = options;
    const environment = target === undefined
      ? Deno.env.get("XFTRACE_TARGET")
      : undefined;
    const recording = target?.startsWith("core:") === true;
    const cacheDir = options.cacheDir ??
      (cache ?? !recording ? kernelCacheDir() : undefined);
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
