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

/** How a target is opened. */
export interface OpenOptions extends Omit<RecordingOptions, "systemMap"> {
  /**
   * Use and write the cache of kernels; default true. Kernels seen before are
   * described in some milliseconds.
   */
  readonly cache?: boolean;
  /** Take symbols from this System.map, where the kernel has none. */
  readonly systemMap?: string;
  /**
   * Read by `pread` and not through a mapping: slower, but a memory file that
   * is cut gives an error and no signal.
   */
  readonly safeRead?: boolean;
}

/**
 * Opens a target: `qemu:NAME`, `pid:N`, `file:PATH`, `core:PATH`; by default
 * what XFTRACE_TARGET names, else the only VM that runs. Its memory is opened
 * to be read; a trace that steers the guest asks for more when it runs.
 *
 * @throws {XftraceError} in one sentence, what is missing and what to do.
 */
export function open(
  target?: string,
  options: OpenOptions = {},
): Promise<Guest> {
  // Errors come as those of a promise.
  return Promise.try(() => {
    const { cache = true, systemMap, safeRead, onWarning } = options;
    const cacheDir = options.cacheDir ??
      (cache ? kernelCacheDir() : undefined);
    const environment = Deno.env.get("XFTRACE_TARGET");
    const session = attach(target, {
      ...(onWarning === undefined ? {} : { onWarning }),
      ...(safeRead === undefined ? {} : { safeRead }),
      ...(environment === undefined ? {} : { environment }),
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(systemMap === undefined
        ? {}
        : { systemMap: readSystemMap(systemMap) }),
    });
    return new Guest(session, options);
  });
}
