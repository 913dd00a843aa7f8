/**
 * Whether the guest of a sealed trace was really restarted, when it looks so:
 * an intruder may have pretended it, to end the trace.
 *
 * @module
 */
import { type Guest, WaitClock, type WaitTimes, XftraceError } from "xftrace";
import { restartUnknown } from "xftrace/detect";
import { sleep } from "xftrace/ftrace";
import { open } from "xftrace/live";
import type { RecordingVerification } from "xftrace/seal";
import { processorTimes, resolveTarget } from "xftrace/targets";
import { Progress } from "../terminal.ts";

/** How long the guest may take to start its kernel, ms that it could run. */
const START_MS = 180_000;
/** How long it is waited for at most, however busy the host is, ms. */
const LONGEST_MS = 900_000;
/**
 * How long one reason must stand, ms that the guest could run, while a kernel
 * can be read: registers and page tables change until that kernel has set up its
 * own.
 */
const SETTLED_MS = 10_000;
/** Time between looks, ms. */
const LOOK_MS = 500;

/**
 * Why it is not known that the guest was restarted; `undefined` when the
 * registers of its processors show it. Waits until it has started.
 *
 * @returns the end of a sentence
 */
export async function whyNotRestarted(
  target: string,
  { recording: { header: { kernelText } } }: RecordingVerification,
): Promise<string | undefined> {
  const [start, end] = kernelText;
  using progress = new Progress();
  const begun = performance.now();
  const clock = new WaitClock(timesOf(target), begun);
  let [reason, since] = ["", 0];
  for (;;) {
    const { why, kernel } = await look(target, [BigInt(start), BigInt(end)]);
    const now = performance.now();
    const waited = clock.waited(now);
    if (why === undefined || waited > START_MS) return why;
    if (why !== reason || !kernel) [reason, since] = [why, waited];
    if (waited > since + SETTLED_MS || now > begun + LONGEST_MS) return why;
    progress.update(`whether the guest was restarted is not known: ${why}`);
    await sleep(LOOK_MS);
  }
}

/** The times of a target's VM, if there is one. */
function timesOf(target: string): WaitTimes {
  try {
    const resolved = resolveTarget(target);
    return resolved.kind === "vm" ? processorTimes(resolved.vm.pid) : {};
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    return {};
  }
}

/** What one look shows. */
interface Look {
  readonly why: string | undefined;
  /** Whether the guest has a kernel that can be read. */
  readonly kernel: boolean;
}

async function look(
  target: string,
  text: readonly [bigint, bigint],
): Promise<Look> {
  let guest: Guest | undefined;
  try {
    guest = await open(target, { onWarning: () => {} });
    return { why: await restartUnknown(guest.session, text), kernel: true };
  } catch (error) {
    // It may be starting its kernel just now.
    if (!(error instanceof XftraceError)) throw error;
    return { why: error.message, kernel: false };
  } finally {
    guest?.[Symbol.dispose]();
  }
}
