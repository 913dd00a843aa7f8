/**
 * How long the host has been running: a clock that nobody sets, unlike the one
 * that says the time.
 *
 * @module
 */
import { readHostTextIfThere } from "./host_file/read.ts";

/** The most bytes of /proc/uptime. */
const MOST_BYTES = 4096;

/**
 * How long the host has been running, in ms, as CLOCK_BOOTTIME; `undefined`
 * where it does not say so.
 */
export function hostUptimeMs(): number | undefined {
  let text: string | undefined;
  try {
    text = readHostTextIfThere("/proc/uptime", { limit: MOST_BYTES });
  } catch {
    return undefined;
  }
  const [, seconds] = /^(\d+(?:\.\d+)?) /.exec(text ?? "") ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
