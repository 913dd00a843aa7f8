/**
 * An open target: its memory, its kernel, and whether it is still running.
 *
 * @module
 */
import { refuseMachine } from "./arch/all.ts";
import { openCore } from "./memory/elf_core.ts";
import { totalBytes } from "./memory/elf_core_ranges.ts";
import type { PhysicalMemory } from "./memory/physical_memory.ts";
import {
  describeKernel,
  type DescribeOptions,
} from "./kernel/locate/describe.ts";
import type { Kernel } from "./kernel/core/kernel.ts";

/** An open target. */
export interface Session extends Disposable {
  /** The target as the user names it: `qemu:web1`. */
  readonly target: string;
  /**
   * Identifies this run of this guest, in a form that can be used in a file
   * name; `undefined` when the target is not a running guest.
   */
  readonly key: string | undefined;
  readonly memory: PhysicalMemory;
  /** Bytes of RAM that the guest has or had, including what cannot be read. */
  readonly ramBytes: number;
  readonly kernel: Kernel;
  /** Whether the guest is still running; always false for a core. */
  alive(): boolean;
}

/**
 * Identifies this boot of a running guest, in a form that can be used in a file
 * name; `undefined` when the target is not a running guest. It holds what the
 * guest states (BUILD-ID, kaslr offset), which a hostile guest can change at any
 * time; the session's `key` is what the host knows.
 *
 * @example
 * ```ts ignore
 * import { bootOf } from "xftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * console.log(`${bootOf(guest.session)}.json`); // a file about this boot alone
 * ```
 */
export function bootOf(
  { key, kernel }: Pick<Session, "key" | "kernel">,
): string | undefined {
  if (key === undefined) return undefined;
  const { buildId, release, kaslrOffset } = kernel.facts;
  // Another boot has another KASLR offset; if not, the text and its address are
  // the same.
  return `${buildId ?? release}-${key}-${kaslrOffset.toString(16)}`;
}

/**
 * Opens a core or a snapshot, for which read permission suffices.
 *
 * @throws {XftraceError} when it cannot be read or contains no kernel.
 *
 * @example
 * ```ts
 * import { openCoreSession } from "xftrace";
 *
 * const path = "testdata/guest-6.1.core.zst";
 * using session = openCoreSession(`core:${path}`, path);
 * console.log(session.kernel.facts.release);
 * ```
 */
export function openCoreSession(
  target: string,
  path: string,
  options: DescribeOptions = {},
): Session {
  const memory = openCore(path, { refuse: refuseMachine });
  try {
    const kernel = describeKernel(memory, {
      ...options,
      ...(memory.vmcoreinfo === undefined
        ? {}
        : { vmcoreinfo: memory.vmcoreinfo }),
    });
    return {
      target,
      key: undefined,
      memory,
      ramBytes: totalBytes(
        memory.manifest?.ram.map(([start, end]) => ({ start, end })) ??
          memory.ranges,
      ),
      kernel,
      alive: () => false,
      [Symbol.dispose]: () => memory[Symbol.dispose](),
    };
  } catch (error) {
    memory[Symbol.dispose]();
    throw error;
  }
}
