/**
 * Whether the guest of a sealed trace was really restarted, when it looks so:
 * an intruder may have pretended it, to end the trace.
 *
 * @module
 */
import { type Guest, XftraceError } from "xftrace";
import { restartUnknown } from "xftrace/detect";
import { sleep } from "xftrace/ftrace";
import { open } from "xftrace/live";
import type { RecordingVerification } from "xftrace/seal";
import { Progress } from "../terminal.ts";

/** How long the guest may take to start its kernel, ms. */
const START_MS = 180_000;
/**
 * How long one reason must stand, ms, while a kernel can be read: registers and
 * page tables change until that kernel has set up its own.
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
  const until = performance.now() + START_MS;
  let [reason, since] = ["", 0];
  for (;;) {
    const { why, kernel } = await look(target, [BigInt(start), BigInt(end)]);
    const now = performance.now();
    if (why === undefined || now > until) return why;
    if (why !== reason || !kernel) [reason, since] = [why, now];
    if (now > since + SETTLED_MS) return why;
    progress.update(`whether the guest was restarted is not known: ${why}`);
    await sleep(LOOK_MS);
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
