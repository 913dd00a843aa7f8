/**
 * How long a kernel has been running, by its own clock.
 *
 * The host cannot see that a VM is restarted inside: its process stays the same.
 * So what a guest claims about that is compared with this clock.
 *
 * @module
 */
import { hostUptimeMs } from "../../base/host_uptime.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";

/** Slack for clocks that run at different speeds: a share, and ms. */
const DRIFT = 0.01;
const SLACK_MS = 5000;

/** When a record was made. */
export interface RecordTime {
  /** By the wall clock, ISO 8601. */
  readonly since: string;
  /**
   * How long the host had been running, ms: a VM's process does not outlive its
   * host's boot, and the wall clock may have been stepped.
   */
  readonly hostUp?: number | undefined;
}

/** The time of the host, ms. */
export interface HostTime {
  readonly wall: number;
  readonly up: number | undefined;
}

/**
 * Why it is not certain that a guest has been restarted since a record was made:
 * its own clock has been running since before then, or is not understood.
 * `undefined` when nothing speaks against it.
 */
export function notRestarted(
  kernel: Kernel,
  { since, hostUp }: RecordTime,
  now: HostTime = { wall: Date.now(), up: hostUptimeMs() },
): string | undefined {
  const up = upMs(kernel);
  if (up === undefined) return "how long it has been running cannot be read";
  // A guest that is paused runs late, and seems to have been started later.
  const age = hostUp === undefined || now.up === undefined
    ? now.wall - Date.parse(since)
    : now.up - hostUp;
  return up * (1 - DRIFT) - SLACK_MS > age
    ? `by its own clock it has been running for ${
      Math.round(up / 1000)
    } s, since before that check`
    : undefined;
}

/** How long the kernel has been running, in ms, as CLOCK_BOOTTIME. */
function upMs({ symbols, types, space }: Kernel): number | undefined {
  // An array since Linux 6.17, of which the first is the kernel's own
  // (kernel/time/timekeeping.c, TIMEKEEPER_CORE).
  const core = symbols.tryAddress("tk_core") ??
    symbols.tryAddress("timekeeper_data");
  const member = (path: string) => types.tryOffset("timekeeper", path);
  const [seconds, wall, boot] = [
    member("xtime_sec"),
    member("wall_to_monotonic.tv_sec"),
    member("offs_boot"),
  ];
  if (
    core === undefined || seconds === undefined || wall === undefined ||
    boot === undefined
  ) return undefined;
  const at = core +
    BigInt(types.tryOffset("tk_data", "timekeeper") ?? TIMEKEEPER);
  try {
    const signed = (offset: number) =>
      BigInt.asIntN(64, space.u64(at + BigInt(offset)));
    const monotonic = signed(seconds) + signed(wall);
    const up = Number(monotonic) * 1000 + Number(signed(boot) / 1_000_000n);
    return up >= 0 && up < MOST_UP_MS ? up : undefined;
  } catch (error) {
    if (error instanceof MemoryError || error instanceof KernelError) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Offset of the timekeeper in `tk_core`, after a seqcount, in kernels in which
 * that is an anonymous struct (kernel/time/timekeeping.c).
 */
const TIMEKEEPER = 8;
/** No guest runs for longer: 30 years. */
const MOST_UP_MS = 30 * 365 * 24 * 3600 * 1000;
