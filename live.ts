/**
 * xftrace with running guests: all that `xftrace` has, and `open` of a guest's
 * memory, which takes native code (`deno run --allow-all`).
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
   * Use and write the cache of kernels, with which those seen before are
   * described in some milliseconds; default: for guests, not for recordings.
   */
  readonly cache?: boolean;
  /** Take symbols from this System.map, where the kernel has none. */
  readonly systemMap?: string;
  /**
   * Read by `pread` and not through a mapping: slower, but a memory file that
   * is cut gives an error and no signal.
   */
  readonly safeRead?: boolean;
  /**
   * The guest is going to be steered: a recording is refused, which has no
   * guest. Writing is asked for when a plan is carried out all the same.
   */
  readonly steered?: boolean;
}

/**
 * Opens a target: `qemu:NAME`, `pid:N`, `file:PATH`, `core:PATH`; by default
 * what XFTRACE_TARGET names, else the only VM that runs. Its memory is opened
 * to be read; a trace that steers the guest asks for more when it runs.
 *
 * @throws {XftraceError} in one sentence, what is missing and what to do.
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
  // Errors come as those of a promise.
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
