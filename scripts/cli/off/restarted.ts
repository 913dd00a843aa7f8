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

/** How long the guest may take to start its kernel, ms, and between looks. */
const START_MS = 60_000;
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
  for (;;) {
    const why = await look(target, [BigInt(start), BigInt(end)]);
    if (why === undefined || performance.now() > until) return why;
    progress.update(`whether the guest was restarted is not known: ${why}`);
    await sleep(LOOK_MS);
  }
}

async function look(
  target: string,
  text: readonly [bigint, bigint],
): Promise<string | undefined> {
  let guest: Guest | undefined;
  try {
    guest = await open(target, { onWarning: () => {} });
    return await restartUnknown(guest.session, text);
  } catch (error) {
    // It may be starting its kernel just now.
    if (!(error instanceof XftraceError)) throw error;
    return error.message;
  } finally {
    guest?.[Symbol.dispose]();
  }
}
