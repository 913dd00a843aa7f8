/**
 * An open target: its memory, its kernel, and whether it is still running.
 *
 * @module
 */
import { sleep } from "./base/polling.ts";
import { refuseMachine, refuseNamedMachine } from "./arch/all.ts";
import { notedRegisters } from "./arch/register_note.ts";
import { readingOf, type RegisterReading } from "./arch/registers.ts";
import { openCore } from "./memory/dump/open_core.ts";
import { totalBytes } from "./memory/elf_core_ranges.ts";
import type { RecordedMemory } from "./memory/dump/recorded_memory.ts";
import type { PhysicalMemory } from "./memory/physical_memory.ts";
import {
  describeKernel,
  type DescribeOptions,
} from "./kernel/locate/describe.ts";
import type { Kernel } from "./kernel/core/kernel.ts";

/**
 * Why a guest is no longer there: its process has ended; it runs another kernel
 * (reboot, kexec), or the same one from its beginning; the file of its memory was
 * cut short; or another process runs it, to which it was moved.
 */
export type GuestEnd = "ended" | "restarted" | "cut short" | "migrated";

/**
 * Whether a guest is run by the process that was opened, or was stopped in it by
 * the host, or was moved to another one; `unknown` when nobody tells.
 */
export type Whereabouts = "here" | "paused" | "away" | "unknown";

/**
 * Each {@linkcode GuestEnd} as what happened to the guest: `has ended`.
 *
 * @example
 * ```ts
 * import { END_TEXT } from "xftrace";
 *
 * console.log(`the guest ${END_TEXT.restarted}`);
 * ```
 */
export const END_TEXT: Readonly<Record<GuestEnd, string>> = {
  ended: "has ended",
  restarted: "was restarted",
  "cut short": "has lost its memory (its file was cut short)",
  migrated: "was migrated away",
};

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
  /**
   * Looks at once whether memory was plugged in or unplugged, which otherwise
   * is done each second; absent for a recording.
   *
   * @returns what of the guest's RAM cannot be read, and why; `undefined` when
   * all can
   */
  readonly unreadRam?: () => string | undefined;
  readonly kernel: Kernel;
  /**
   * Whether the guest is still running, and still the one that was opened;
   * always false for a recording.
   */
  alive(): boolean;
  /**
   * Why the guest that was opened is no longer there; `undefined` while it is,
   * and for a recording.
   */
  end(): GuestEnd | undefined;
  /**
   * Asks the hypervisor whether it still runs the guest; absent for a recording.
   * Takes half a second if the monitor is busy. Guests that run are not asked
   * about: see {@linkcode end}.
   */
  readonly whereabouts?: () => Whereabouts;
  /**
   * Whether the hypervisor says that the host has stopped the guest, as far as
   * it was asked while the guest's clock stood still; absent for a recording.
   */
  readonly paused?: () => boolean;
  /**
   * How long the guest's process has been running on the host's processors, ms;
   * absent for a recording.
   */
  readonly cpuMs?: () => number;
  /**
   * How long its processors have been waiting for one of the host's, ms; absent
   * for a recording.
   */
  readonly waitMs?: () => number;
  /**
   * The registers of the guest's processors, from the hypervisor or from the
   * recording; or why there are none. In a running guest, each vCPU leaves
   * guest mode for some microseconds, so this is asked by checks and snapshots
   * alone, and never while a trace is followed.
   */
  registers(): Promise<RegisterReading>;
}

/**
 * Whether memory holds what the guest's kernel has written, up to the end of the
 * guest if it has ended or was moved: not after a restart, and not when it was
 * cut short.
 *
 * @example
 * ```ts
 * import { isBelievable, open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(isBelievable(guest.session)); // true
 * ```
 */
export function isBelievable(
  { kernel, end }: Pick<Session, "kernel" | "end">,
): boolean {
  switch (end()) {
    case undefined:
    case "migrated":
      return true;
    case "ended":
      // It may have been restarted before it ended.
      return kernel.origin?.life() !== "other";
    default:
      return false;
  }
}

/** Time between two looks at a guest whose clock stands still, ms. */
const SETTLE_LOOK_MS = 50;
/** The same at first: most guests' clocks advance within that. */
const SETTLE_FIRST_MS = 4;
/** How long to watch whether its processors run, ms. */
const SETTLE_WATCH_MS = 300;
/**
 * How long a guest may stand still, and its processors run meanwhile, ms: on a
 * busy host they may have to wait most of the time.
 */
const SETTLE_MOST_MS = 30_000;
/** The share of time for which the processors of an idle guest want to run. */
const IDLE_SHARE = 0.3;

/**
 * Waits until it is known whether a guest whose clock stands still is about to
 * start another kernel, as after a reboot: then nothing may be written to it any
 * more. A guest that is paused or idle is told by its process, which does not
 * run; this takes some 300 ms. Then its hypervisor is asked whether it was moved.
 *
 * @returns why the guest is no longer there; `undefined` when it is
 *
 * @example
 * ```ts ignore
 * import { settled } from "xftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * if (await settled(guest.session) === undefined) {
 *   console.log("it is still the guest that was opened");
 * }
 * ```
 */
export async function settled(
  session: Pick<
    Session,
    "kernel" | "end" | "cpuMs" | "waitMs" | "whereabouts"
  >,
): Promise<GuestEnd | undefined> {
  const start = performance.now();
  const ranBefore = session.cpuMs?.() ?? 0;
  const waitedBefore = session.waitMs?.() ?? 0;
  for (;;) {
    const end = session.end();
    const { origin } = session.kernel;
    if (end !== undefined || origin === undefined) return end;
    const runs = origin.life() !== "still";
    const passed = performance.now() - start;
    // Its clock has advanced since this began; that of a recording has none.
    if (runs && (origin.stillMs() < passed || !session.kernel.memory.live)) {
      return undefined;
    }
    const ran = (session.cpuMs?.() ?? 0) - ranBefore;
    const wanted = ran + (session.waitMs?.() ?? 0) - waitedBefore;
    const idle = passed > SETTLE_WATCH_MS &&
      (runs || wanted < passed * IDLE_SHARE);
    if (idle || Math.min(passed, ran) > SETTLE_MOST_MS) {
      return session.whereabouts?.() === "away" ? "migrated" : undefined;
    }
    await sleep(passed < SETTLE_LOOK_MS ? SETTLE_FIRST_MS : SETTLE_LOOK_MS);
  }
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
 * Opens a core, another dump or a snapshot, for which read permission suffices.
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
  const memory = openCore(path, {
    refuse: refuseMachine,
    refuseNamed: refuseNamedMachine,
  });
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
      ramBytes: totalBytes(memory.ram ?? memory.ranges),
      kernel,
      alive: () => false,
      end: () => undefined,
      registers: () => Promise.resolve(savedRegisters(memory, kernel)),
      [Symbol.dispose]: () => memory[Symbol.dispose](),
    };
  } catch (error) {
    memory[Symbol.dispose]();
    throw error;
  }
}

/** The registers in a core: those that a snapshot saved, or QEMU's notes. */
function savedRegisters(
  memory: RecordedMemory,
  { arch }: Kernel,
): RegisterReading {
  const { registers } = arch;
  const noted = notedRegisters(memory.notes);
  if (noted !== undefined) {
    return readingOf(
      registers,
      memory,
      noted.cpus,
      `the recording, from ${noted.from}`,
    );
  }
  const cpus = registers.fromNotes(memory.notes);
  return cpus.length === 0
    ? { why: "the recording holds no registers of the processors" }
    : readingOf(registers, memory, cpus, "the core's notes");
}
